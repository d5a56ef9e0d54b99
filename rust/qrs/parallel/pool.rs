//! The workers: they spin a little for the next job, then sleep.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::{MAX_THREADS, spin_while};

/// A worker spins this long for the next job before it sleeps: waking one costs 5 to 12 us.
const SPIN: Duration = Duration::from_micros(30);

pub(super) type Job<'a> = &'a (dyn Fn(usize) + Sync + 'a);

pub(super) struct Pool {
    process: u32,
    pub(super) workers: Mutex<Workers>,
    /// Number of the job times 256, plus the workers that take part: one word, so that a worker that
    /// wakes late cannot mix two jobs. A worker starts when it changes.
    generation: AtomicU64,
    job: UnsafeCell<Option<Job<'static>>>,
    running: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `job` is written only by the holder of `workers` while no worker runs (`running` is 0), and
// read by workers only between the release of `generation` and their decrement of `running`.
#[expect(unsafe_code, reason = "the pool hands one borrowed job to its workers")]
unsafe impl Sync for Pool {}

#[derive(Default)]
pub(super) struct Workers {
    pub(super) threads: Vec<Worker>,
}

pub(super) struct Worker {
    thread: Thread,
    asleep: &'static AtomicBool,
}

impl Workers {
    /// Starts workers until there are `count`, or as many as the system allows.
    pub(super) fn grow(&mut self, pool: &'static Pool, count: usize) {
        while self.threads.len() < count.min(MAX_THREADS - 1) {
            let index = self.threads.len() + 1;
            let asleep: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
            let seen = pool.generation.load(Ordering::Acquire);
            let started = std::thread::Builder::new()
                .name(format!("qrs-{index}"))
                .spawn(move || pool.work(index, asleep, seen));
            let Ok(handle) = started else { return };
            self.threads.push(Worker { thread: handle.thread().clone(), asleep });
        }
    }
}

impl Pool {
    /// The pool of this process: a forked child has none of its parent's threads and gets a new one.
    pub(super) fn of_this_process() -> &'static Self {
        static POOL: AtomicPtr<Pool> = AtomicPtr::new(std::ptr::null_mut());
        let process = std::process::id();
        let current = POOL.load(Ordering::Acquire);
        #[expect(unsafe_code, reason = "the pool is leaked on purpose: its workers refer to it")]
        // SAFETY: the pointer is null or came from `Box::leak` below and is never freed.
        if let Some(pool) = unsafe { current.as_ref() }
            && pool.process == process
        {
            return pool;
        }
        let fresh: &'static Self = Box::leak(Box::new(Self {
            process,
            workers: Mutex::default(),
            generation: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            running: AtomicUsize::new(0),
            panic: Mutex::default(),
        }));
        let stored = std::ptr::from_ref(fresh).cast_mut();
        match POOL.compare_exchange(current, stored, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => fresh,
            #[expect(unsafe_code, reason = "see above")]
            // SAFETY: another thread stored its leaked pool first; as above.
            Err(other) => unsafe { &*other },
        }
    }

    /// Runs `part(0)` here and `part(1..)` on `workers`, and returns when all are done.
    pub(super) fn job(&self, workers: &[Worker], part: Job<'_>) {
        #[expect(unsafe_code, reason = "the job is borrowed for the time of this call only")]
        // SAFETY: the caller holds `workers` and `running` is 0, so no worker reads `job`. The
        // lifetime is extended only until `Finish` has seen every worker done, before `part` ends.
        unsafe {
            *self.job.get() = Some(std::mem::transmute::<Job<'_>, Job<'static>>(part));
        }
        self.running.store(workers.len(), Ordering::Relaxed);
        let number = self.generation.load(Ordering::Relaxed) / 256 + 1;
        self.generation.store(number * 256 + workers.len() as u64, Ordering::SeqCst);
        for worker in workers {
            if worker.asleep.load(Ordering::SeqCst) {
                worker.thread.unpark();
            }
        }
        let finish = Finish(self);
        part(0);
        drop(finish);
        let panic = self.panic.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// A worker's life.
    fn work(&self, index: usize, asleep: &AtomicBool, mut seen: u64) {
        loop {
            self.wait(asleep, seen);
            seen = self.generation.load(Ordering::Acquire);
            if index as u64 > seen % 256 {
                continue;
            }
            #[expect(unsafe_code, reason = "reads the job that `job` published")]
            // SAFETY: `generation` was released after the write, and the writer waits for this
            // worker's decrement of `running` before it writes again.
            let job = unsafe { *self.job.get() };
            if let Some(job) = job
                && let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(index)))
            {
                let mut slot = self.panic.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *slot = Some(panic);
            }
            self.running.fetch_sub(1, Ordering::Release);
        }
    }

    /// Returns when the generation is no longer `seen`.
    fn wait(&self, asleep: &AtomicBool, seen: u64) {
        let start = Instant::now();
        while start.elapsed() < SPIN {
            for _ in 0..64 {
                if self.generation.load(Ordering::Acquire) != seen {
                    return;
                }
                std::hint::spin_loop();
            }
        }
        asleep.store(true, Ordering::SeqCst);
        while self.generation.load(Ordering::SeqCst) == seen {
            std::thread::park();
        }
        asleep.store(false, Ordering::SeqCst);
    }
}

/// Waits for the workers, even while the caller's own part unwinds: they borrow its job.
struct Finish<'a>(&'a Pool);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        spin_while(|| self.0.running.load(Ordering::Acquire) != 0);
    }
}
