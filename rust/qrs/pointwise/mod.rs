//! Sums and products of two quantized tensors, element by element; bounds, and joining.
//!
//! ```text
//! add   q = clamp(z + rne((x_a + x_b) * (1 / s)))          x_i = fma(s_i, q_i, -(s_i * z_i))
//! mul   q = clamp(z + rne((q_a - z_a) (q_b - z_b) * m))    m = (s_a * s_b) * (1 / s)
//! ```
//!
//! Each operation is one f32 operation, in PyTorch 1.8.1's order. The differences and the product of
//! `mul` are exact.

mod broadcast;
mod cat;
mod clamp;

pub use broadcast::Broadcast;
pub use cat::{Piece, cat};
pub use clamp::clamp;

use crate::byte::Byte;
use crate::error::{Result, same};
use crate::isa::{Isa, Kernel, LANES, Level};
use crate::parallel::{Split, Window, split, threads_for};
use crate::qparams::{QParams, QUINT8, Quantizer, Span};
use crate::quantize::Steps;

/// Vectors that become bytes together.
const WIDE: usize = 4;

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The sum.
    Add,
    /// The product.
    Mul,
}

impl Operation {
    /// Its name in Python.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Mul => "mul",
        }
    }
}

/// An operation with the parameters of its operands and result.
#[derive(Clone, Copy, Debug)]
pub struct Binary {
    /// What is computed.
    pub operation: Operation,
    /// Parameters of the two operands.
    pub inputs: [QParams; 2],
    /// Parameters of the result.
    pub output: QParams,
    /// Whether negative results become 0.
    pub relu: bool,
}

/// `real = fma(scale, q, offset)`.
#[derive(Clone, Copy, Debug)]
struct Line {
    scale: f32,
    offset: f32,
}

impl Binary {
    fn lines(&self) -> [Line; 2] {
        self.inputs.map(|QParams { scale, zero_point }| match self.operation {
            Operation::Add => Line { scale, offset: scale * -(zero_point as f32) },
            Operation::Mul => Line { scale: 1.0, offset: -(zero_point as f32) },
        })
    }

    fn quantizer(&self, span: Span) -> Quantizer {
        let [a, b] = self.inputs;
        let QParams { scale, zero_point } = self.output;
        let inverse = 1.0 / scale;
        let inv_scale = match self.operation {
            Operation::Add => inverse,
            Operation::Mul => (a.scale * b.scale) * inverse,
        };
        let min = if self.relu { zero_point } else { span.min };
        Quantizer { inv_scale, before: 0.0, after: zero_point, span: Span { min, max: span.max } }
    }

    /// Whether all results fit 32 bits; others need bounds before they become integers.
    fn is_moderate(&self) -> bool {
        let [a, b] = self.lines().map(|line| 255.0 * line.scale + line.offset.abs());
        let largest = match self.operation {
            Operation::Add => a + b,
            Operation::Mul => a * b,
        };
        // The product may be NaN, which is not moderate.
        largest * self.quantizer(QUINT8).inv_scale < 1e9
    }

    /// `out[i]` = stored byte of what `a` and `b` give where they meet.
    ///
    /// # Errors
    /// If a length does not fit.
    pub fn apply<T: Byte>(
        &self,
        level: Level,
        meeting: &Broadcast,
        (a, b): (&[T], &[T]),
        out: &mut [T],
    ) -> Result<()> {
        let op = self.operation.name();
        let lens = meeting.lens();
        same(op, "length of the first operand", a.len(), lens[0])?;
        same(op, "length of the second operand", b.len(), lens[1])?;
        same(op, "output length", out.len(), lens[2])?;
        let by = if out.len() == meeting.row { Split::Columns(64) } else { Split::Rows(1) };
        split(out, meeting.row, threads_for(out.len() / 4), by, |window| {
            level.run(Part { binary: self, meeting, a, b, window });
        });
        Ok(())
    }
}

struct Part<'a, 'w, T> {
    binary: &'a Binary,
    meeting: &'a Broadcast,
    a: &'a [T],
    b: &'a [T],
    window: Window<'w, T>,
}

/// A [`Line`] in registers.
#[derive(Clone, Copy)]
struct Reals<I: Isa> {
    scale: I::F,
    offset: I::F,
}

impl<I: Isa> Reals<I> {
    #[inline(always)]
    fn of<T: Byte>(&self, isa: I, q: &[T; LANES]) -> I::F {
        isa.f_fma(self.scale, isa.f_from_i(T::widen(isa, q)), self.offset)
    }
}

impl<T: Byte> Kernel for Part<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match (self.binary.operation, self.meeting.varies == [true; 2]) {
            (Operation::Add, true) => bounded::<I, T, false, true>(isa, self),
            (Operation::Add, false) => bounded::<I, T, false, false>(isa, self),
            (Operation::Mul, true) => bounded::<I, T, true, true>(isa, self),
            (Operation::Mul, false) => bounded::<I, T, true, false>(isa, self),
        }
    }
}

#[inline(always)]
fn bounded<I: Isa, T: Byte, const MUL: bool, const PAIRS: bool>(isa: I, part: Part<'_, '_, T>) {
    match part.binary.is_moderate() {
        true => rows::<I, T, MUL, PAIRS, false>(isa, part),
        false => rows::<I, T, MUL, PAIRS, true>(isa, part),
    }
}

/// The rows of `part`. Both operands vary along a row if `PAIRS`, else one of them. Results are bounded
/// before they become integers if `BOUNDED`.
#[inline(always)]
fn rows<I: Isa, T: Byte, const MUL: bool, const PAIRS: bool, const BOUNDED: bool>(
    isa: I,
    mut part: Part<'_, '_, T>,
) {
    let by = part.binary.quantizer(T::SPAN);
    let steps = Steps::new(isa, by);
    let (zero_point, low) = (by.after, by.span.min);
    let lines = part.binary.lines();
    // A sum or product is the same whichever operand comes first: one that varies does.
    let (first, second) = if part.meeting.varies[0] { (0, 1) } else { (1, 0) };
    let reals = [first, second].map(|side| Reals {
        scale: isa.f_splat(lines[side].scale),
        offset: isa.f_splat(lines[side].offset),
    });
    let operands = [part.a, part.b];
    let from = part.window.columns().start;
    for r in part.window.rows() {
        let starts = part.meeting.starts(r);
        let out = part.window.row(r);
        let n = out.len();
        let a = &operands[first][starts[first] + from..][..n];
        let b = &operands[second][starts[second]..];
        let b = if PAIRS { &b[from..][..n] } else { &b[..1] };
        let only = if PAIRS { isa.f_splat(0.0) } else { reals[1].of(isa, &[b[0]; LANES]) };
        let (a_chunks, a_rest) = a.as_chunks::<LANES>();
        let (b_chunks, b_rest) = b.as_chunks::<LANES>();
        let (rooms, tail) = out.as_chunks_mut::<LANES>();
        let (wide, narrow) = rooms.as_chunks_mut::<WIDE>();
        for (i, room) in wide.iter_mut().enumerate() {
            let mut v = [only; WIDE];
            for j in 0..WIDE {
                let at = i * WIDE + j;
                let x = reals[0].of(isa, &a_chunks[at]);
                let y = if PAIRS { reals[1].of(isa, &b_chunks[at]) } else { only };
                v[j] = joined::<I, MUL, BOUNDED>(isa, &steps, x, y);
            }
            T::store(isa, v, zero_point, low, room);
        }
        for (i, room) in narrow.iter_mut().enumerate() {
            let at = wide.len() * WIDE + i;
            let x = reals[0].of(isa, &a_chunks[at]);
            let y = if PAIRS { reals[1].of(isa, &b_chunks[at]) } else { only };
            let v = joined::<I, MUL, BOUNDED>(isa, &steps, x, y);
            T::store(isa, [v], zero_point, low, std::array::from_mut(room));
        }
        if !tail.is_empty() {
            let x = reals[0].of(isa, &padded(a_rest));
            let y = if PAIRS { reals[1].of(isa, &padded(b_rest)) } else { only };
            let v = joined::<I, MUL, BOUNDED>(isa, &steps, x, y);
            let mut last = [[T::default(); LANES]];
            T::store(isa, [v], zero_point, low, &mut last);
            tail.copy_from_slice(&last[0][..tail.len()]);
        }
    }
}

/// 16 results in steps of the output.
#[inline(always)]
fn joined<I: Isa, const MUL: bool, const BOUNDED: bool>(
    isa: I,
    steps: &Steps<I>,
    x: I::F,
    y: I::F,
) -> I::F {
    let v = if MUL { isa.f_mul(x, y) } else { isa.f_add(x, y) };
    if BOUNDED { steps.bounded(isa, v) } else { steps.unbounded(isa, v) }
}

#[inline(always)]
fn padded<T: Byte>(rest: &[T]) -> [T; LANES] {
    let mut chunk = [T::default(); LANES];
    chunk[..rest.len()].copy_from_slice(rest);
    chunk
}
