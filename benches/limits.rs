//! What one core, and all cores, can do at most: products a second of each instruction sequence that a
//! kernel can be built from, and bytes a second read from a working set of each size.
//!
//! No kernel runs here. These are the roofs that the fractions in `peers.py` refer to: a large product
//! cannot beat the first, a product with one row cannot beat the second, since it reads every weight
//! once. A fraction that falls while this page stays the same is a kernel that got slower; both falling
//! is a slower machine.
//!
//! ```text
//! cargo bench --bench limits [-- [--json FILE] [--threads N]]
//! ```

#![expect(unsafe_code, reason = "loops of chosen instructions, which no compiler may rearrange")]

use std::fmt::Write as _;
use std::sync::Barrier;
use std::time::Instant;

#[cfg(target_arch = "aarch64")]
#[path = "limits/aarch64.rs"]
mod machine;
#[cfg(target_arch = "x86_64")]
#[path = "limits/x86_64.rs"]
mod machine;
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
mod machine {
    pub fn sequences() -> Vec<super::Sequence> {
        Vec::new()
    }

    pub fn read(buffer: &[u8]) {
        std::hint::black_box(buffer.iter().fold(0_u8, |all, &byte| all | byte));
    }
}

/// A sequence of instructions without memory, repeated.
pub struct Sequence {
    /// The instructions.
    pub name: &'static str,
    /// The level whose products are made of it; empty for what is no product.
    pub level: &'static str,
    /// Whether its sums are exact for all bytes.
    pub exact: bool,
    /// Products of one repetition (for the clock: cycles).
    pub products: usize,
    /// Repeats it.
    pub run: fn(usize),
}

const ROUNDS: usize = 200;
const REPETITIONS: usize = 40_000;
const KIB: usize = 1024;
/// A round of reads takes at least this many bytes.
const READ: usize = 8 * KIB * KIB;
const SETS: [usize; 12] = [16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 65_536, 131_072];

fn main() {
    let options = Options::parse(std::env::args().skip(1)).unwrap_or_else(|message| {
        eprintln!("limits: {message}");
        std::process::exit(2);
    });
    let mut counts = vec![1];
    counts.extend((options.threads > 1).then_some(options.threads));
    let all: Vec<_> = counts.into_iter().map(Limits::measure).collect();
    for limits in &all {
        print!("{}", limits.table());
    }
    if let Some(path) = options.json {
        let parts: Vec<_> = all.iter().map(Limits::json).collect();
        let text = format!("[{}]\n", parts.join(",\n "));
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("limits: {path} could not be written: {error}");
            std::process::exit(1);
        }
    }
}

struct Options {
    json: Option<String>,
    threads: usize,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut options = Self { json: None, threads: cores };
        while let Some(word) = words.next() {
            match word.as_str() {
                // Cargo says that a benchmark is wanted, and says so to every benchmark.
                "--bench" => {}
                "--json" => options.json = Some(words.next().ok_or("--json needs a file name")?),
                "--threads" => {
                    let count = words.next().and_then(|n| n.parse().ok()).filter(|&n| n > 0);
                    options.threads = count.ok_or("--threads needs a positive number")?;
                }
                _ => {
                    return Err(format!(
                        "`{word}` came, expected --json FILE or --threads N; filters are for \
                         `cargo bench --bench kernels`"
                    ));
                }
            }
        }
        Ok(options)
    }
}

/// The roofs of a number of threads together.
struct Limits {
    threads: usize,
    /// Name, level, whether exact, 10^9 products a second.
    peaks: Vec<(&'static str, &'static str, bool, f64)>,
    /// Bytes that each thread reads again and again, and 10^9 bytes a second.
    reads: Vec<(usize, f64)>,
}

impl Limits {
    fn measure(threads: usize) -> Self {
        let peaks = machine::sequences()
            .into_iter()
            .map(|Sequence { name, level, exact, products, run }| {
                let rate = best(threads, || (), |()| run(REPETITIONS));
                (name, level, exact, rate * (products * REPETITIONS) as f64)
            })
            .collect();
        let reads = SETS
            .into_iter()
            .map(|kib| {
                let bytes = kib * KIB;
                let times = (READ / bytes).max(1);
                // Filled, so that every page is one of its own.
                let buffer = || vec![1_u8; bytes];
                let rate = best(threads, buffer, |buffer| {
                    for _ in 0..times {
                        machine::read(buffer);
                    }
                });
                (bytes, rate * (bytes * times) as f64)
            })
            .collect();
        Self { threads, peaks, reads }
    }

    fn table(&self) -> String {
        let mut text = format!("\n{} thread(s)\n", self.threads);
        for (name, level, exact, rate) in &self.peaks {
            let unit = if level.is_empty() { "GHz" } else { "GMAC/s" };
            let note = if *exact { "" } else { "  (can saturate on full-range bytes)" };
            let _ = writeln!(text, "  {name:34} {level:11} {rate:7.1} {unit}{note}");
        }
        for (bytes, rate) in &self.reads {
            let _ =
                writeln!(text, "  read {:>6} KiB a thread {:22} {rate:7.1} GB/s", bytes / KIB, "");
        }
        text
    }

    fn json(&self) -> String {
        let peaks: Vec<_> = self
            .peaks
            .iter()
            .map(|(name, level, exact, rate)| {
                format!(
                    "{{\"name\": \"{name}\", \"level\": \"{level}\", \"exact\": {exact}, \
                     \"rate\": {rate:.2}}}"
                )
            })
            .collect();
        let reads: Vec<_> =
            self.reads.iter().map(|(bytes, rate)| format!("[{bytes}, {rate:.2}]")).collect();
        format!(
            "{{\"threads\": {}, \"peaks\": [{}], \"reads\": [{}]}}",
            self.threads,
            peaks.join(", "),
            reads.join(", ")
        )
    }
}

/// Runs a nanosecond, of all threads together, in the best of the rounds. Each thread makes its own
/// `T` first.
fn best<T>(threads: usize, make: impl Fn() -> T + Sync, run: impl Fn(&T) + Sync) -> f64 {
    let barrier = Barrier::new(threads);
    let mut rates = vec![0.0_f64; ROUNDS];
    std::thread::scope(|scope| {
        let work = || {
            let own = make();
            let mut rates = Vec::with_capacity(ROUNDS);
            run(&own);
            for _ in 0..ROUNDS {
                barrier.wait();
                let start = Instant::now();
                run(&own);
                rates.push(1.0 / start.elapsed().as_nanos().max(1) as f64);
            }
            rates
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            for (sum, rate) in rates.iter_mut().zip(worker.join().expect("nothing panics")) {
                *sum += rate;
            }
        }
    });
    rates.into_iter().fold(0.0, f64::max)
}
