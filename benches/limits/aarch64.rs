//! Sequences of ARMv8.

use std::arch::asm;

use super::Sequence;

/// Those that this CPU has.
pub fn sequences() -> Vec<Sequence> {
    let mut all = vec![
        Sequence {
            name: "clock (dependent additions)",
            level: "",
            exact: true,
            products: 16,
            run: clock,
        },
        Sequence {
            name: "smull + sadalp",
            level: "neon",
            exact: true,
            products: 12 * 8,
            run: words,
        },
        Sequence {
            name: "fmla, 4 floats",
            level: "float",
            exact: true,
            products: 12 * 4,
            run: floats,
        },
    ];
    if std::arch::is_aarch64_feature_detected!("dotprod") {
        all.push(Sequence {
            name: "sdot",
            level: "neondot",
            exact: true,
            products: 12 * 16,
            run: dots,
        });
    }
    all
}

/// Reads `buffer`, but for what does not fill a pass of the loop.
pub fn read(buffer: &[u8]) {
    let whole = buffer.len() - buffer.len() % 256;
    if whole == 0 {
        return;
    }
    // SAFETY: a positive multiple of the 256 bytes that one pass of the loop reads.
    unsafe {
        asm!(
            "2:",
            ".rept 8",
            "ldp q0, q1, [x9], #32",
            ".endr",
            "cmp x9, x10",
            "b.ne 2b",
            inout("x9") buffer.as_ptr() => _,
            in("x10") buffer[..whole].as_ptr_range().end,
            clobber_abi("C"),
            options(readonly, nostack),
        );
    }
}

fn clock(repetitions: usize) {
    // SAFETY: two registers are changed, which the compiler is told.
    unsafe {
        asm!(
            "2:",
            ".rept 16",
            "add {sum}, {sum}, #1",
            ".endr",
            "subs {n}, {n}, #1",
            "b.ne 2b",
            sum = inout(reg) 0_u64 => _,
            n = inout(reg) repetitions => _,
            options(nomem, nostack),
        );
    }
}

/// Repeats `$line`s for 12 independent accumulators, `\\i` in turn, enough to hide any latency.
macro_rules! accumulate {
    ($repetitions:ident, $($line:literal),+) => {
        asm!(
            ".arch_extension dotprod",
            "2:",
            ".irp i, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27",
            $($line,)+
            ".endr",
            "subs x9, x9, #1",
            "b.ne 2b",
            inout("x9") $repetitions => _,
            clobber_abi("C"),
            options(nomem, nostack),
        )
    };
}

fn words(repetitions: usize) {
    // SAFETY: registers only, all of them declared.
    unsafe {
        accumulate!(repetitions, "smull v0.8h, v1.8b, v2.8b", "sadalp v\\i\\().4s, v0.8h");
    }
}

fn floats(repetitions: usize) {
    // SAFETY: registers only, all of them declared.
    unsafe {
        // Whatever the registers held before could be denormal, and slow.
        asm!(
            "movi v1.4s, #0",
            "movi v2.4s, #0",
            ".irp i, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27",
            "movi v\\i\\().4s, #0",
            ".endr",
            clobber_abi("C"),
            options(nomem, nostack),
        );
        accumulate!(repetitions, "fmla v\\i\\().4s, v1.4s, v2.4s");
    }
}

/// Called only where the dot product was found.
fn dots(repetitions: usize) {
    // SAFETY: registers only, all of them declared.
    unsafe {
        accumulate!(repetitions, "sdot v\\i\\().4s, v1.16b, v2.16b");
    }
}
