import threading

import pytest

import qrs


@pytest.fixture
def x():
    return qrs.ones(2, requires_grad=True)


def test_no_grad_records_nothing(x):
    with qrs.no_grad():
        y = x * 2
    assert not y.requires_grad
    assert y.is_leaf


def test_switch_is_restored_after_an_exception(x):
    with pytest.raises(KeyError), qrs.no_grad():
        raise KeyError
    assert qrs.is_grad_enabled()


def test_nested_settings_restore_in_order():
    with qrs.no_grad():
        with qrs.enable_grad():
            assert qrs.is_grad_enabled()
        assert not qrs.is_grad_enabled()
    assert qrs.is_grad_enabled()


@pytest.mark.parametrize("decorator", [qrs.no_grad, qrs.no_grad(), qrs.set_grad_enabled])
def test_decorator_switches_only_inside_the_function(decorator, x):
    if decorator is qrs.set_grad_enabled:
        decorator = qrs.set_grad_enabled(False)

    @decorator
    def double(value):
        """Twice the value."""
        return value * 2

    assert qrs.is_grad_enabled()
    assert not double(x).requires_grad
    assert double.__doc__ == "Twice the value."
    assert (x * 2).requires_grad


def test_enable_grad_decorator_records_under_no_grad(x):
    @qrs.enable_grad
    def double(value):
        return value * 2

    with qrs.no_grad():
        assert double(x).requires_grad


def test_one_context_object_can_be_entered_twice():
    setting = qrs.no_grad()
    with setting:
        with setting:
            assert not qrs.is_grad_enabled()
        assert not qrs.is_grad_enabled()
    assert qrs.is_grad_enabled()


def test_set_grad_enabled_acts_at_once_and_restores_as_a_context():
    with qrs.set_grad_enabled(False):
        assert not qrs.is_grad_enabled()
    assert qrs.is_grad_enabled()
    qrs.set_grad_enabled(False)
    try:
        assert not qrs.is_grad_enabled()
    finally:
        qrs.set_grad_enabled(True)


def test_each_thread_has_its_own_switch():
    seen = []
    with qrs.no_grad():
        thread = threading.Thread(target=lambda: seen.append(qrs.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]
