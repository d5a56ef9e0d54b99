"""What all optimizers share."""

import math

import pytest

import qrs
from qrs import nn, optim
from qrs.errors import StateDictError


def parameter(*values: float) -> qrs.Tensor:
    return qrs.tensor(list(values), requires_grad=True)


class TestGroups:
    def test_settings_of_a_group_win_over_those_of_the_optimizer(self) -> None:
        a, b = parameter(1.0), parameter(1.0)
        optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.25)
        (a + b).sum().backward()
        optimizer.step()
        assert (a.item(), b.item()) == (0.75, 0.5)

    def test_a_group_added_later_is_trained(self) -> None:
        a, b = parameter(1.0), parameter(1.0)
        optimizer = optim.SGD([a], lr=0.25)
        optimizer.add_param_group({"params": [b]})
        (a + b).sum().backward()
        optimizer.step()
        assert (a.item(), b.item()) == (0.75, 0.75)

    def test_parameters_without_gradient_stay(self) -> None:
        a, b = parameter(1.0), parameter(1.0)
        optimizer = optim.SGD([a, b], lr=0.25, weight_decay=0.5)
        a.sum().backward()
        optimizer.step()
        assert b.item() == 1.0

    @pytest.mark.parametrize(
        ("params", "error", "message"),
        [
            ([], ValueError, "no parameter came"),
            (qrs.ones(1), TypeError, "a single Tensor came"),
            ([1.0], TypeError, "a float came as parameter"),
            ([{"lr": 1.0}], TypeError, "expected a dict with 'params'"),
            ([{"params": [qrs.ones(1)], "rate": 1.0}], TypeError, "a group with rate came"),
        ],
    )
    def test_what_is_no_parameter_is_refused(
        self, params: object, error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            optim.SGD(params)  # type: ignore[arg-type]

    def test_a_parameter_that_comes_twice_is_refused(self) -> None:
        a = parameter(1.0)
        with pytest.raises(ValueError, match="came twice"):
            optim.SGD([a, a])

    def test_a_result_of_an_operation_is_refused(self) -> None:
        with pytest.raises(qrs.GradientError, match="result of 'mul'"):
            optim.SGD([parameter(1.0) * 2])

    @pytest.mark.parametrize(
        ("make", "settings"),
        [
            (optim.SGD, {"lr": -1.0}),
            (optim.SGD, {"lr": math.nan}),
            (optim.SGD, {"momentum": -0.5}),
            (optim.SGD, {"nesterov": True}),
            (optim.SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
            (optim.Adam, {"betas": (0.9, 1.0)}),
            (optim.AdamW, {"eps": -1e-8}),
            (optim.AdamW, {"weight_decay": "much"}),
        ],
    )
    def test_settings_out_of_range_are_refused(self, make: type, settings: dict) -> None:
        with pytest.raises(ValueError, match=r"came.*, expected"):
            make([parameter(1.0)], **settings)


class TestZeroGrad:
    def test_drops_the_gradients(self) -> None:
        a = parameter(1.0)
        a.sum().backward()
        optim.SGD([a]).zero_grad()
        assert a.grad is None

    def test_fills_them_with_zeros_if_asked(self) -> None:
        a = parameter(1.0)
        a.sum().backward()
        optim.SGD([a]).zero_grad(set_to_none=False)
        assert a.grad.tolist() == [0.0]


class TestStep:
    def test_a_closure_computes_the_gradients_and_its_loss_is_returned(self) -> None:
        a = parameter(2.0)
        optimizer = optim.SGD([a], lr=0.5)

        def closure() -> float:
            optimizer.zero_grad()
            loss = (a * a).sum()
            loss.backward()
            return loss.item()

        with qrs.no_grad():
            assert optimizer.step(closure) == 4.0
        assert a.item() == 0.0

    def test_a_graph_of_before_the_step_cannot_use_the_new_values(self) -> None:
        a = parameter(2.0)
        optimizer = optim.SGD([a], lr=0.5)
        square = (a * a).sum()
        a.grad = qrs.ones(1)
        optimizer.step()
        with pytest.raises(qrs.GradientError, match="modified in place"):
            square.backward()

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_a_gradient_that_is_not_finite_stops_with_the_parameters_name(self, bad: float) -> None:
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        optimizer = optim.SGD(model.named_parameters(), lr=1.0)
        before = model[0].weight.detach().clone()
        model(qrs.ones(1, 2)).sum().backward()
        model[1].weight.grad[0, 1] = bad
        with pytest.raises(qrs.NonFiniteError, match=r"gradient of parameter '1\.weight'") as error:
            optimizer.step()
        assert "holds 1 NaN or infinite" in str(error.value)
        assert qrs.equal(model[0].weight, before)

    def test_without_names_the_parameters_number_is_told(self) -> None:
        a, b = parameter(1.0), parameter(1.0, 2.0)
        optimizer = optim.Adam([a, b])
        b.grad = qrs.tensor([1.0, math.nan])
        with pytest.raises(qrs.NonFiniteError, match=r"parameter 1 of group 0, shape \(2,\)"):
            optimizer.step()

    def test_finite_gradients_whose_sum_overflows_are_fine(self) -> None:
        a = parameter(1.0, 1.0)
        a.grad = qrs.tensor([3e38, 3e38])
        optim.SGD([a], lr=0.0).step()
        assert a.tolist() == [1.0, 1.0]


class TestStateDict:
    def test_layout_is_pytorchs(self) -> None:
        a, b = parameter(1.0), parameter(1.0)
        optimizer = optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.5}], momentum=0.9)
        (a + b).sum().backward()
        optimizer.step()
        state = optimizer.state_dict()
        assert [group["params"] for group in state["param_groups"]] == [[0], [1]]
        assert [group["lr"] for group in state["param_groups"]] == [1e-3, 0.5]
        assert state["state"][1]["momentum_buffer"].tolist() == [1.0]

    def test_can_be_saved_and_loaded(self, tmp_path) -> None:
        a = parameter(1.0, 2.0)
        optimizer = optim.Adam([a])
        (a * a).sum().backward()
        optimizer.step()
        qrs.save(optimizer.state_dict(), tmp_path / "state.safetensors")
        other = optim.Adam([a], lr=5.0)
        other.load_state_dict(qrs.load(tmp_path / "state.safetensors"))
        assert other.param_groups[0]["lr"] == 1e-3
        assert other.state[a]["step"] == 1
        assert qrs.equal(other.state[a]["exp_avg"], optimizer.state[a]["exp_avg"])

    def test_loaded_tensors_are_copies(self) -> None:
        a = parameter(1.0)
        one, other = optim.SGD([a], momentum=0.9), optim.SGD([a], momentum=0.9)
        a.sum().backward()
        one.step()
        other.load_state_dict(one.state_dict())
        one.step()
        assert other.state[a]["momentum_buffer"].tolist() == [1.0]

    def test_one_of_another_model_is_refused(self) -> None:
        state = optim.SGD([parameter(1.0)]).state_dict()
        with pytest.raises(qrs.StateDictError, match=r"groups of \[1\] parameters came"):
            optim.SGD([parameter(1.0), parameter(1.0)]).load_state_dict(state)

    def test_a_state_of_another_shape_is_refused(self) -> None:
        a = parameter(1.0)
        optimizer = optim.SGD([a], momentum=0.9)
        a.sum().backward()
        optimizer.step()
        other = optim.SGD([parameter(1.0, 2.0)], momentum=0.9)
        with pytest.raises(qrs.StateDictError, match=r"shape \(1,\) came for parameter 0"):
            other.load_state_dict(optimizer.state_dict())


def test_repr_lists_the_settings_of_each_group() -> None:
    text = repr(optim.SGD([parameter(1.0)], lr=0.5))
    assert "Parameter Group 0" in text
    assert "lr: 0.5" in text


def test_what_is_no_state_of_an_optimizer_is_refused() -> None:
    optimizer = optim.SGD([parameter(1.0)], lr=0.1)
    with pytest.raises(StateDictError, match=r"SGD\.load_state_dict: a str came.*qrs\.load"):
        optimizer.load_state_dict("state.pt")
    with pytest.raises(StateDictError, match="a dict without 'state' and 'param_groups' came"):
        optimizer.load_state_dict({"weight": qrs.ones(1)})
