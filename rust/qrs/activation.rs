//! Activations on floats, from additions, products, fused multiply-adds and divisions in one order, so
//! that every level gives the same bits.
//!
//! | function | error over all floats, at most |
//! |---|---|
//! | [`exp()`] | 0.93 ulp |
//! | [`sigmoid`] | 2.5 ulp, or 5e-39 below -88.37 where it becomes 0 |
//! | [`tanh`] | 2.6 ulp |
//! | [`erf`] | 2.8 ulp |
//! | [`gelu`] | 2.0 `2^-24 abs(x)` |
//! | [`gelu_tanh`] | 2.7 `2^-24 abs(x)` |
//! | [`silu`] | 2.6 ulp, or 4e-37 below -88.37 where it becomes -0 |
//!
//! A ulp is the distance of the floats around the exact value, that of the smallest normal number or
//! more. NaN gives NaN. The polynomials are minimax fits made for this file.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LOG2_E};

use crate::error::{Result, same};
use crate::isa::{Isa, Kernel, LANES, Level};
use crate::parallel::{Split, split, threads_for};

/// `1.5 * 2^23`: adding it to a float below `2^22` leaves the nearest integer in the low bits.
const SHIFTER: f32 = 12_582_912.0;
/// `ln 2` in two parts, the sum of which has 48 bits.
const LN2_HIGH: f32 = f32::from_bits(0x3f31_7218);
const LN2_LOW: f32 = f32::from_bits(0xb102_e308);

/// The integer `n` nearest to `x / ln 2`, and `x - n ln 2`. `|x|` is at most `2^21`, or NaN.
#[inline(always)]
fn reduce<I: Isa>(isa: I, x: I::F) -> (I::I, I::F) {
    let shifter = isa.f_splat(SHIFTER);
    let shifted = isa.f_fma(x, isa.f_splat(LOG2_E), shifter);
    let n = isa.f_sub(shifted, shifter);
    let r = isa.f_fma(n, isa.f_splat(-LN2_HIGH), x);
    let r = isa.f_fma(n, isa.f_splat(-LN2_LOW), r);
    (isa.i_sub(isa.f_bits(shifted), isa.i_splat(SHIFTER.to_bits() as i32)), r)
}

/// `(e^r - 1 - r) / r^2` for `|r| <= ln(2) / 2`, so well that `e^r - 1` has a relative error of 1.4e-8.
#[inline(always)]
fn curvature<I: Isa>(isa: I, r: I::F) -> I::F {
    polynomial(isa, r, [0.5, 0.166_665_42, 0.041_666_28, 0.008_366_631, 0.001_394_653])
}

/// `c[0] + c[1] x + c[2] x^2 ...`
#[inline(always)]
fn polynomial<I: Isa, const N: usize>(isa: I, x: I::F, c: [f32; N]) -> I::F {
    let mut sum = isa.f_splat(c[N - 1]);
    for i in (0..N - 1).rev() {
        sum = isa.f_fma(sum, x, isa.f_splat(c[i]));
    }
    sum
}

/// `e^r` for a reduced argument.
#[inline(always)]
fn exp_reduced<I: Isa>(isa: I, r: I::F) -> I::F {
    let one = isa.f_splat(1.0);
    isa.f_fma(isa.f_fma(curvature(isa, r), r, one), r, one)
}

/// `e^x`; 0 below -104 and infinity above 88.73.
#[inline(always)]
pub fn exp<I: Isa>(isa: I, x: I::F) -> I::F {
    let x = isa.f_min(isa.f_splat(89.0), isa.f_max(isa.f_splat(-105.0), x));
    let (n, r) = reduce(isa, x);
    // 2^n in two factors: one alone could not reach the subnormal numbers.
    let half = isa.f_to_i(isa.f_mul(isa.f_from_i(n), isa.f_splat(0.5)));
    let scaled = isa.f_mul(exp_reduced(isa, r), isa.i_exp2(half));
    isa.f_mul(scaled, isa.i_exp2(isa.i_sub(n, half)))
}

/// `1 / (1 + e^-x)`; 0 below -88.4.
#[inline(always)]
pub fn sigmoid<I: Isa>(isa: I, x: I::F) -> I::F {
    let one = isa.f_splat(1.0);
    isa.f_div(one, isa.f_add(one, exp_minus(isa, x)))
}

/// `e^-x` for use as `1 + e^-x`: infinity below -88.4, and not less than 1e-38.
#[inline(always)]
fn exp_minus<I: Isa>(isa: I, x: I::F) -> I::F {
    // From 127.5 ln 2 upwards n is 128 and the power of two infinite.
    let x = isa.f_min(isa.f_splat(87.0), isa.f_max(isa.f_splat(-88.5), x));
    let (n, r) = reduce(isa, isa.f_sub(isa.f_splat(0.0), x));
    isa.f_mul(exp_reduced(isa, r), isa.i_exp2(n))
}

/// Hyperbolic tangent, odd, as exact relative to small results as to large ones.
#[inline(always)]
pub fn tanh<I: Isa>(isa: I, x: I::F) -> I::F {
    // tanh(a) = m / (m + 2) with m = e^2a - 1 = 2^n (e^r - 1) + (2^n - 1): no digits cancel. Above 10
    // the quotient is 1.
    let a = isa.f_min(isa.f_splat(10.0), isa.f_abs(x));
    let (n, r) = reduce(isa, isa.f_add(a, a));
    let reduced = isa.f_fma(isa.f_mul(curvature(isa, r), r), r, r);
    let scale = isa.i_exp2(n);
    let m = isa.f_fma(scale, reduced, isa.f_sub(scale, isa.f_splat(1.0)));
    isa.f_copysign(isa.f_div(m, isa.f_add(m, isa.f_splat(2.0))), x)
}

/// Error function, odd.
#[inline(always)]
pub fn erf<I: Isa>(isa: I, x: I::F) -> I::F {
    // Up to 0.875 an odd polynomial; beyond, erf(a) = 1 - e^-g(a), which is 1 from 4 upwards.
    let a = isa.f_min(isa.f_splat(4.0), isa.f_abs(x));
    let near = polynomial(
        isa,
        isa.f_mul(a, a),
        [
            FRAC_2_SQRT_PI,
            -0.376_125_5,
            0.112_824_55,
            -0.026_791_463,
            0.005_032_181_3,
            -0.000_620_325_56,
        ],
    );
    let g = polynomial(
        isa,
        a,
        [
            0.000_133_593_25,
            1.127_936,
            0.636_737_4,
            0.104_327_32,
            -0.022_420_116,
            0.003_092_263,
            -0.000_200_992_83,
        ],
    );
    let far = isa.f_sub(isa.f_splat(1.0), exp_minus(isa, g));
    let erf = isa.f_select_lt(a, isa.f_splat(0.875), isa.f_mul(a, near), far);
    isa.f_copysign(erf, x)
}

/// `x (1 + erf(x / sqrt 2)) / 2`.
#[inline(always)]
pub fn gelu<I: Isa>(isa: I, x: I::F) -> I::F {
    let phi = erf(isa, isa.f_mul(x, isa.f_splat(FRAC_1_SQRT_2)));
    let half = isa.f_mul(x, isa.f_splat(0.5));
    isa.f_fma(half, phi, half)
}

/// `x (1 + tanh(u)) / 2 = x sigmoid(2u)` with `u = sqrt(2 / pi) (x + 0.044715 x^3)`.
#[inline(always)]
pub fn gelu_tanh<I: Isa>(isa: I, x: I::F) -> I::F {
    const SLOPE: f32 = 1.595_769; // 2 sqrt(2 / pi)
    let square = isa.f_mul(x, x);
    let factor = isa.f_fma(square, isa.f_splat(0.044_715 * SLOPE), isa.f_splat(SLOPE));
    isa.f_mul(x, sigmoid(isa, isa.f_mul(x, factor)))
}

/// `x / (1 + e^-x)`.
#[inline(always)]
pub fn silu<I: Isa>(isa: I, x: I::F) -> I::F {
    isa.f_div(x, isa.f_add(isa.f_splat(1.0), exp_minus(isa, x)))
}

/// One table makes the list of functions, their names and the loop of each.
macro_rules! functions {
    ($($(#[$doc:meta])* $variant:ident $name:literal $function:ident;)+) => {
        /// A function of one float.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Function {
            $($(#[$doc])* $variant,)+
        }

        impl Function {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name in Python.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl Kernel for InPlace<'_> {
            type Output = ();

            #[inline(always)]
            fn run<I: Isa>(self, isa: I) {
                match self.function {
                    $(Function::$variant => for_each_vector!(isa, self.x, $function),)+
                }
            }
        }
    };
}

/// The loop is a macro because a function passed as a value might stay a call.
macro_rules! for_each_vector {
    ($isa:ident, $x:expr, $function:ident) => {{
        let (chunks, rest) = $x.as_chunks_mut::<LANES>();
        for chunk in chunks {
            let v = $function($isa, $isa.f_load(chunk));
            $isa.f_store(v, chunk);
        }
        if !rest.is_empty() {
            let mut last = [0.0; LANES];
            last[..rest.len()].copy_from_slice(rest);
            let v = $function($isa, $isa.f_load(&last));
            $isa.f_store(v, &mut last);
            rest.copy_from_slice(&last[..rest.len()]);
        }
    }};
}

struct InPlace<'a> {
    function: Function,
    x: &'a mut [f32],
}

functions! {
    /// See [`exp()`].
    Exp "exp" exp;
    /// See [`sigmoid`].
    Sigmoid "sigmoid" sigmoid;
    /// See [`tanh`].
    Tanh "tanh" tanh;
    /// See [`erf`].
    Erf "erf" erf;
    /// See [`gelu`].
    Gelu "gelu" gelu;
    /// See [`gelu_tanh`].
    GeluTanh "gelu_tanh" gelu_tanh;
    /// See [`silu`].
    Silu "silu" silu;
}

impl Function {
    /// Replaces every value of `x` by the function of it.
    pub fn apply_in_place(self, level: Level, x: &mut [f32]) {
        self.for_each_block(level, x, |_, _| {});
    }

    /// `out[i] = f(x[i])`.
    ///
    /// # Errors
    /// If the lengths differ.
    pub fn apply(self, level: Level, x: &[f32], out: &mut [f32]) -> Result<()> {
        same(self.name(), "output length", out.len(), x.len())?;
        self.for_each_block(level, out, |start, block| {
            block.copy_from_slice(&x[start..][..block.len()]);
        });
        Ok(())
    }

    /// Applies the function to blocks that stay in L1, each filled by `fill` first.
    fn for_each_block(
        self,
        level: Level,
        out: &mut [f32],
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        let threads = threads_for(out.len() / 2);
        split(out, out.len(), threads, Split::Columns(BLOCK), |mut window| {
            let mut start = window.columns().start;
            for block in window.row(0).chunks_mut(BLOCK) {
                fill(start, block);
                start += block.len();
                level.run(InPlace { function: self, x: block });
            }
        });
    }
}

/// Values worked on at a time.
const BLOCK: usize = 1024;
