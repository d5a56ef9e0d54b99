//! The cases of `tests/kernels` as a plain program: no test harness, no dependency, so that it runs
//! on an emulated CPU. `tests/cross/run` compares what it prints on each.
//!
//! Without arguments it runs every level of this CPU; arguments name the levels to run.

use std::error::Error;
use std::time::Instant;

use qrs::isa::{Level, level};

#[path = "../kernels/cases/mod.rs"]
mod cases;

fn main() -> Result<(), Box<dyn Error>> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let levels = if named.is_empty() {
        Level::available()
    } else {
        named.iter().map(|name| Level::from_name(name)).collect::<Result<_, _>>()?
    };
    println!("selected {}", level()?.name());
    for level in levels {
        let mut all = cases::Hash::default();
        for (name, case) in cases::ALL {
            let start = Instant::now();
            let hash = case(level);
            all.add(&[hash]);
            println!("  {hash:016x} {:7.2} s  {name}", start.elapsed().as_secs_f64());
        }
        println!("level {} cases {} hash {:016x}", level.name(), cases::ALL.len(), all.0);
    }
    Ok(())
}
