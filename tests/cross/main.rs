//! The cases of `tests/kernels` as a plain program: no test harness, no dependency, so that it runs
//! on an emulated CPU. `tests/cross/run` compares what it prints on each.
//!
//! `cross [--skip TEXT] [LEVEL...]`: without levels, all those of this CPU. Cases whose name contains
//! TEXT are left out.

use std::error::Error;
use std::time::Instant;

use qrs::isa::{Level, level};

#[path = "../kernels/cases/mod.rs"]
mod cases;

fn main() -> Result<(), Box<dyn Error>> {
    let mut levels = Vec::new();
    let mut skip = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--skip" {
            skip = Some(arguments.next().ok_or("--skip wants a text")?);
        } else {
            levels.push(Level::from_name(&argument)?);
        }
    }
    if levels.is_empty() {
        levels = Level::available();
    }
    println!("selected {}", level()?.name());
    for level in levels {
        let mut all = cases::Hash::default();
        let mut count = 0;
        for (name, case) in cases::ALL {
            if skip.as_deref().is_some_and(|text| name.contains(text)) {
                continue;
            }
            let start = Instant::now();
            let hash = case(level);
            all.add(&[hash]);
            count += 1;
            println!("  {hash:016x} {:7.2} s  {name}", start.elapsed().as_secs_f64());
        }
        println!("level {} cases {count} hash {:016x}", level.name(), all.0);
    }
    Ok(())
}
