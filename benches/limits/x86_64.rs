//! Sequences of x86-64.

use std::arch::asm;

use super::Sequence;

/// Those that this CPU has.
pub fn sequences() -> Vec<Sequence> {
    let mut all = vec![Sequence {
        name: "clock (dependent additions)",
        level: "",
        exact: true,
        products: 16,
        run: clock,
    }];
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        all.push(Sequence {
            name: "vpmaddwd + vpaddd, ymm",
            level: "avx2",
            exact: true,
            products: 12 * 16,
            // SAFETY: the feature was found on the line above; no memory is touched.
            run: |n| unsafe { words(n) },
        });
        all.push(Sequence {
            name: "vpmaddubsw + vpmaddwd + vpaddd, ymm",
            level: "avx2",
            exact: false,
            products: 12 * 32,
            // SAFETY: as above.
            run: |n| unsafe { bytes(n) },
        });
        all.push(Sequence {
            name: "vfmadd231ps, ymm (float)",
            level: "float",
            exact: true,
            products: 12 * 8,
            // SAFETY: as above.
            run: |n| unsafe { floats(n) },
        });
    }
    if is_x86_feature_detected!("avx512vnni") {
        all.push(Sequence {
            name: "vpdpbusd, zmm",
            level: "avx512vnni",
            exact: true,
            products: 24 * 64,
            // SAFETY: the feature was found on the line above; no memory is touched.
            run: |n| unsafe { vnni(n) },
        });
    }
    all
}

/// Reads `buffer`, but for what does not fill a pass of the loop.
pub fn read(buffer: &[u8]) {
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the feature was found; the function stays within the slice.
        unsafe { read_zmm(buffer) }
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: as above.
        unsafe { read_ymm(buffer) }
    } else {
        std::hint::black_box(buffer.iter().fold(0_u8, |all, &byte| all | byte));
    }
}

fn clock(repetitions: usize) {
    // Of two registers: some CPUs add a constant without spending a cycle.
    // SAFETY: two registers are changed, which the compiler is told.
    unsafe {
        asm!(
            "2:",
            ".rept 16",
            "add {sum}, {one}",
            ".endr",
            "dec {n}",
            "jnz 2b",
            sum = inout(reg) 0_u64 => _,
            one = in(reg) 1_u64,
            n = inout(reg) repetitions => _,
            options(nomem, nostack),
        );
    }
}

/// Repeats `$line`s for 12 independent accumulators, `\\i` in turn, enough to hide any latency.
macro_rules! accumulate {
    ($repetitions:ident, $($line:literal),+) => {
        asm!(
            "2:",
            ".irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11",
            $($line,)+
            ".endr",
            "dec rcx",
            "jnz 2b",
            inout("rcx") $repetitions => _,
            // All vector registers of that convention are the callee's to change.
            clobber_abi("sysv64"),
            options(nomem, nostack),
        )
    };
}

#[target_feature(enable = "avx2")]
unsafe fn words(repetitions: usize) {
    // SAFETY: registers only, all of them declared.
    unsafe {
        accumulate!(repetitions, "vpmaddwd ymm12, ymm13, ymm14", "vpaddd ymm\\i, ymm\\i, ymm12");
    }
}

#[target_feature(enable = "avx2")]
unsafe fn bytes(repetitions: usize) {
    // SAFETY: registers only, all of them declared.
    unsafe {
        accumulate!(
            repetitions,
            "vpmaddubsw ymm12, ymm13, ymm14",
            "vpmaddwd ymm12, ymm12, ymm15",
            "vpaddd ymm\\i, ymm\\i, ymm12"
        );
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn floats(repetitions: usize) {
    // SAFETY: registers only, all of them declared.
    unsafe {
        // Whatever the registers held before could be denormal, and slow.
        asm!("vzeroall", clobber_abi("sysv64"), options(nomem, nostack));
        accumulate!(repetitions, "vfmadd231ps ymm\\i, ymm13, ymm14");
    }
}

/// 24 accumulators, as in the kernels' tile: where two products start in a cycle and take five, 12 are
/// enough only if each goes to the right port.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn vnni(repetitions: usize) {
    // SAFETY: registers only, all of them declared.
    unsafe {
        asm!(
            "2:",
            ".irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23",
            "vpdpbusd zmm\\i, zmm30, zmm31",
            ".endr",
            "dec rcx",
            "jnz 2b",
            inout("rcx") repetitions => _,
            clobber_abi("sysv64"),
            options(nomem, nostack),
        );
    }
}

/// Runs `$line` for 8 loads of `$width` bytes at `rsi`, `\\i` in turn, all through `$buffer`.
macro_rules! load_all {
    ($buffer:ident, $width:literal, $line:literal) => {
        let whole = $buffer.len() - $buffer.len() % (8 * $width);
        if whole > 0 {
            asm!(
                "2:",
                ".irp i, 0, 1, 2, 3, 4, 5, 6, 7",
                $line,
                ".endr",
                concat!("add rsi, 8 * ", $width),
                "cmp rsi, rcx",
                "jne 2b",
                inout("rsi") $buffer.as_ptr() => _,
                in("rcx") $buffer[..whole].as_ptr_range().end,
                clobber_abi("sysv64"),
                options(readonly, nostack),
            );
        }
    };
}

#[target_feature(enable = "avx2")]
unsafe fn read_ymm(buffer: &[u8]) {
    // SAFETY: a positive multiple of the 256 bytes that one pass of the loop reads.
    unsafe {
        load_all!(buffer, 32, "vmovdqu ymm\\i, [rsi + 32 * \\i]");
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn read_zmm(buffer: &[u8]) {
    // SAFETY: a positive multiple of the 512 bytes that one pass of the loop reads.
    unsafe {
        load_all!(buffer, 64, "vmovdqu64 zmm\\i, [rsi + 64 * \\i]");
    }
}
