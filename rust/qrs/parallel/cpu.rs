//! Keeps a worker that is woken off the CPU of the thread that wakes it.
//!
//! Linux may leave a woken thread on its waker's CPU although another one is idle. In a virtual machine
//! with two CPUs it did so three times in four, and for 10 ms at a time: a convolution of 160 us on two
//! threads took 500 us, and 250 us once the worker was kept off.

#[cfg(target_os = "linux")]
pub(super) use linux::{current, keep_off};

/// Other systems are left to themselves.
#[cfg(not(target_os = "linux"))]
pub(super) fn current() -> Option<usize> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn keep_off<T>(_: &std::thread::JoinHandle<T>, _: usize) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::c_int;
    use std::os::unix::thread::{JoinHandleExt, RawPthread};
    use std::thread::JoinHandle;

    const BITS: usize = u64::BITS as usize;

    /// `cpu_set_t`: a bit for each of 1024 CPUs, in words of the machine's order.
    pub(super) type Set = [u64; 16];

    #[expect(unsafe_code, reason = "the standard library does not say which CPU it runs on")]
    unsafe extern "C" {
        safe fn sched_getcpu() -> c_int;
        fn sched_getaffinity(process: c_int, size: usize, set: *mut Set) -> c_int;
        fn pthread_setaffinity_np(thread: RawPthread, size: usize, set: *const Set) -> c_int;
    }

    /// The CPU that runs this thread now.
    pub(in super::super) fn current() -> Option<usize> {
        usize::try_from(sched_getcpu()).ok()
    }

    /// The CPUs that this thread may run on.
    pub(super) fn allowed() -> Option<Set> {
        let mut set = Set::default();
        #[expect(unsafe_code, reason = "see above")]
        // SAFETY: 0 is the calling thread; the call writes at most the given size into `set`.
        let failed = unsafe { sched_getaffinity(0, size_of::<Set>(), &raw mut set) };
        (failed == 0).then_some(set)
    }

    /// Lets `thread` run where this thread may, but for `cpu`, unless that is the only one. What the
    /// system refuses stays as it was.
    pub(in super::super) fn keep_off<T>(thread: &JoinHandle<T>, cpu: usize) {
        let Some(all) = allowed() else { return };
        let mut others = all;
        if let Some(word) = others.get_mut(cpu / BITS) {
            *word &= !(1 << (cpu % BITS));
        }
        let set = if others == Set::default() { all } else { others };
        #[expect(unsafe_code, reason = "see above")]
        // SAFETY: the handle is that of a thread that has not been joined or detached; the call reads
        // the given size of `set`.
        unsafe {
            pthread_setaffinity_np(thread.as_pthread_t(), size_of::<Set>(), &raw const set);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::linux::allowed;
    use super::*;

    #[test]
    fn a_thread_is_kept_off_one_cpu_and_no_other() {
        let all = allowed().expect("Linux says which");
        let cpus: Vec<usize> = (0..1024).filter(|i| all[i / 64] >> (i % 64) & 1 == 1).collect();
        for &cpu in &cpus {
            let (send, receive) = std::sync::mpsc::channel::<()>();
            let (report, found) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                receive.recv().expect("the test sends");
                report.send(allowed()).expect("the test receives");
            });
            keep_off(&thread, cpu);
            send.send(()).expect("the thread receives");
            let mut expected = all;
            if cpus.len() > 1 {
                expected[cpu / 64] &= !(1 << (cpu % 64));
            }
            assert_eq!(found.recv().expect("the thread sends"), Some(expected), "CPU {cpu}");
            thread.join().expect("the thread ends");
        }
    }

    #[test]
    fn a_cpu_that_does_not_exist_changes_nothing() {
        let thread = std::thread::spawn(|| {
            std::thread::park();
            allowed()
        });
        keep_off(&thread, 5000);
        thread.thread().unpark();
        assert_eq!(thread.join().expect("the thread ends"), allowed());
    }
}
