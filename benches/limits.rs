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

use std::fmt::Write as _;
use std::sync::Barrier;
use std::time::Instant;

#[path = "limits/mod.rs"]
mod machine;

use machine::Sequence;

const ROUNDS: usize = 100;
const REPETITIONS: usize = 40_000;
const KIB: usize = 1024;
/// Reads go through a set in pieces of this many bytes.
const PART: usize = 16 * KIB;
/// Bytes of a cache line.
const LINE: usize = 64;
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
    /// The same for reads that turn around at the ends, and so find in the cache what they read last.
    turning: Vec<(usize, f64)>,
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
        let [reads, turning] = [false, true].map(|turn| Self::reads(threads, turn));
        Self { threads, peaks, reads, turning }
    }

    fn reads(threads: usize, turn: bool) -> Vec<(usize, f64)> {
        let read = |kib: usize| {
            let bytes = kib * KIB;
            let times = (READ / bytes).max(2);
            // Filled, so that every page is one of its own.
            let buffer = || vec![1_u8; bytes + LINE];
            let rate = best(threads, buffer, |buffer| {
                // From a line's start, as packed weights: a load that spans two lines costs twice.
                let buffer = &buffer[buffer.as_ptr().align_offset(LINE)..][..bytes];
                for time in 0..times {
                    if turn && time % 2 == 1 {
                        buffer.rchunks(PART).for_each(machine::read);
                    } else {
                        buffer.chunks(PART).for_each(machine::read);
                    }
                }
            });
            (bytes, rate * (bytes * times) as f64)
        };
        SETS.into_iter().map(read).collect()
    }

    fn table(&self) -> String {
        let mut text = format!("\n{} thread(s)\n", self.threads);
        for (name, level, exact, rate) in &self.peaks {
            let unit = if level.is_empty() { "GHz" } else { "GMAC/s" };
            let note = if *exact { "" } else { "  (can saturate on full-range bytes)" };
            let _ = writeln!(text, "  {name:34} {level:11} {rate:7.1} {unit}{note}");
        }
        for ((bytes, rate), (_, turning)) in self.reads.iter().zip(&self.turning) {
            let kib = bytes / KIB;
            let _ = writeln!(
                text,
                "  read {kib:>6} KiB a thread {:22} {rate:7.1} GB/s, turning around {turning:7.1}",
                ""
            );
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
        let list = |reads: &[(usize, f64)]| {
            let all: Vec<_> =
                reads.iter().map(|(bytes, rate)| format!("[{bytes}, {rate:.2}]")).collect();
            all.join(", ")
        };
        format!(
            "{{\"threads\": {}, \"peaks\": [{}], \"reads\": [{}], \"turning\": [{}]}}",
            self.threads,
            peaks.join(", "),
            list(&self.reads),
            list(&self.turning)
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
