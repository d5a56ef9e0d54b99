//! Normalization of bytes by given statistics (batch normalization) or by their own (layer, group and
//! instance normalization).
//!
//! With `d = q - z_in` and the profile of PyTorch 1.8.1, each operation one f32 operation:
//!
//! ```text
//! batch    y = fma(a, d, b)      a = gamma / sqrt(variance + eps) * (s_in / s_out)
//!                                b = (beta - mean gamma / sqrt(variance + eps)) / s_out
//!          q = clamp(z_out + rne(y))
//! own      m = sum of q / n      v = max(fma(-m, m, sum of q^2 / n), 0)       sums exact
//!          k = s_in / sqrt(v s_in s_in + eps)                                 in f64 from `+ eps` on
//! layer    y = fma((d - (m - z_in)) k, gamma, beta)
//! group    y = fma(d - (m - z_in), k gamma, beta)
//!          q = clamp(z_out + rne(y * (1 / s_out)))
//! ```

use super::line::{Factor, Line, apply};
use super::moments::{channel_moments, moments};
use crate::byte::Byte;
use crate::error::{Error, Result, same};
use crate::isa::{Isa, Kernel, Level};
use crate::parallel::{Split, Window, split, threads_for};
use crate::qparams::{QParams, Quantizer, Span};
use crate::quantize::Steps;

/// What follows the normalization, with the parameters of input and output.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    /// Factors; 1 if absent.
    pub weight: Option<&'a [f32]>,
    /// Addends; 0 if absent.
    pub bias: Option<&'a [f32]>,
    /// Added to the variance.
    pub eps: f64,
    /// Parameters of the input.
    pub input: QParams,
    /// Parameters of the output.
    pub output: QParams,
    /// Whether negative results become 0.
    pub relu: bool,
}

/// Shape of a tensor of images, and how channels are grouped.
#[derive(Clone, Copy, Debug)]
pub struct Groups {
    /// Images.
    pub batch: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Values of a channel.
    pub positions: usize,
    /// Groups that the channels are divided into.
    pub groups: usize,
    /// Whether the channels are innermost in memory, or the positions.
    pub channels_last: bool,
}

impl Affine<'_> {
    fn check(&self, op: &'static str, n: usize) -> Result<()> {
        same(op, "number of weights", self.weight.map_or(n, <[f32]>::len), n)?;
        same(op, "number of biases", self.bias.map_or(n, <[f32]>::len), n)
    }

    fn weight(&self, j: usize) -> f32 {
        self.weight.map_or(1.0, |weight| weight[j])
    }

    fn bias(&self, j: usize) -> f32 {
        self.bias.map_or(0.0, |bias| bias[j])
    }

    fn quantizer(&self, span: Span, inv_scale: f32) -> Quantizer {
        let after = self.output.zero_point;
        let min = if self.relu { after } else { span.min };
        Quantizer { inv_scale, before: 0.0, after, span: Span { min, max: span.max } }
    }

    /// Mean less the zero point, and `s_in / sqrt(variance + eps)`, of `n` bytes with these sums.
    fn statistics(&self, (sum, squares): (i64, i64), n: usize) -> (f32, f32) {
        let n = n as f32;
        let mean = sum as f32 / n;
        let variance = (-mean).mul_add(mean, squares as f32 / n).max(0.0);
        let scale = self.input.scale;
        let deviation = (f64::from(variance * scale * scale) + self.eps).sqrt();
        (mean - self.input.zero_point as f32, (f64::from(scale) / deviation) as f32)
    }

    /// Batch normalization of `x` by the given statistics of each channel.
    ///
    /// # Errors
    /// If a length does not fit.
    pub fn batch<T: Byte>(
        &self,
        level: Level,
        shape: Groups,
        (mean, variance): (&[f32], &[f32]),
        x: &[T],
        out: &mut [T],
    ) -> Result<()> {
        const OP: &str = "batch_norm";
        let Groups { channels, positions, channels_last, .. } = shape;
        shape.check(OP, x.len(), out.len())?;
        self.check(OP, channels)?;
        same(OP, "number of means", mean.len(), channels)?;
        same(OP, "number of variances", variance.len(), channels)?;
        let (mut factors, mut shifts) = (vec![0.0; channels], vec![0.0; channels]);
        for j in 0..channels {
            let inverse = 1.0 / (variance[j] + self.eps as f32).sqrt();
            let factor = inverse * self.weight(j);
            factors[j] = factor * (self.input.scale / self.output.scale);
            shifts[j] = (self.bias(j) - mean[j] * factor) / self.output.scale;
        }
        let width = if channels_last { channels } else { positions };
        split(out, width, threads_for(x.len() / 4), Split::Rows(1), |window| {
            let (factors, shifts) = (&factors, &shifts);
            level.run(Batch { by: self, x, factors, shifts, channels_last, window });
        });
        Ok(())
    }

    /// Layer normalization of each row of `n` bytes; there is one weight and bias for each place.
    ///
    /// # Errors
    /// If a length does not fit.
    pub fn layer<T: Byte>(&self, level: Level, x: &[T], n: usize, out: &mut [T]) -> Result<()> {
        const OP: &str = "layer_norm";
        let shape = Groups {
            batch: x.len() / n.max(1),
            channels: 1,
            positions: n,
            groups: 1,
            channels_last: false,
        };
        shape.check(OP, x.len(), out.len())?;
        self.check(OP, n)?;
        split(out, n, threads_for(x.len() / 2), Split::Rows(1), |window| {
            level.run(Layer { by: self, x, window });
        });
        Ok(())
    }

    /// Normalization of each group of channels of each image; one weight and bias for each channel.
    /// With as many groups as channels it is instance normalization.
    ///
    /// # Errors
    /// If a length does not fit, or the groups do not divide the channels.
    pub fn group<T: Byte>(
        &self,
        level: Level,
        shape: Groups,
        x: &[T],
        out: &mut [T],
    ) -> Result<()> {
        const OP: &str = "group_norm";
        let Groups { batch, channels, positions, groups, channels_last } = shape;
        shape.check(OP, x.len(), out.len())?;
        self.check(OP, channels)?;
        if groups == 0 || !channels.is_multiple_of(groups) {
            let message =
                format!("{groups} groups came for {channels} channels, expected a divisor");
            return Err(Error::Value { op: OP, message });
        }
        if x.is_empty() {
            return Ok(());
        }
        let threads = threads_for(x.len() / 2);
        // Whole groups of whole images.
        let (width, by) = match channels_last {
            true if batch < threads => (channels, Split::Columns(channels / groups)),
            true => (channels, Split::Rows(positions)),
            false => (channels / groups * positions, Split::Rows(1)),
        };
        split(out, width, threads, by, |window| {
            level.run(Group { by: self, x, shape, window });
        });
        Ok(())
    }
}

impl Groups {
    fn check(&self, op: &'static str, x: usize, out: usize) -> Result<()> {
        same(op, "input length", x, self.batch * self.channels * self.positions)?;
        same(op, "output length", out, x)
    }
}

struct Batch<'a, 'w, T> {
    by: &'a Affine<'a>,
    x: &'a [T],
    factors: &'a [f32],
    shifts: &'a [f32],
    channels_last: bool,
    window: Window<'w, T>,
}

impl<T: Byte> Kernel for Batch<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let steps = Steps::new(isa, self.by.quantizer(T::SPAN, 1.0));
        let zero_point = isa.i_splat(self.by.input.zero_point);
        let (center, scale) = (Factor::All(0.0), 1.0);
        for r in self.window.rows() {
            let out = self.window.row(r);
            let x = &self.x[r * out.len()..][..out.len()];
            if self.channels_last {
                let (factor, shift) = (Factor::Each(self.factors), Factor::Each(self.shifts));
                let line = Line { center, scale, factor, shift };
                apply::<I, T, false>(isa, x, zero_point, line, &steps, out);
            } else {
                let j = r % self.factors.len();
                let (factor, shift) = (Factor::All(self.factors[j]), Factor::All(self.shifts[j]));
                let line = Line { center, scale, factor, shift };
                apply::<I, T, false>(isa, x, zero_point, line, &steps, out);
            }
        }
    }
}

struct Layer<'a, 'w, T> {
    by: &'a Affine<'a>,
    x: &'a [T],
    window: Window<'w, T>,
}

impl<T: Byte> Kernel for Layer<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let by = self.by;
        let steps = Steps::new(isa, by.quantizer(T::SPAN, 1.0 / by.output.scale));
        let zero_point = isa.i_splat(by.input.zero_point);
        for r in self.window.rows() {
            let out = self.window.row(r);
            let n = out.len();
            let x = &self.x[r * n..][..n];
            let (center, scale) = by.statistics(moments(isa, x), n);
            let line = Line {
                center: Factor::All(center),
                scale,
                factor: by.weight.map_or(Factor::All(1.0), Factor::Each),
                shift: by.bias.map_or(Factor::All(0.0), Factor::Each),
            };
            apply::<I, T, true>(isa, x, zero_point, line, &steps, out);
        }
    }
}

struct Group<'a, 'w, T> {
    by: &'a Affine<'a>,
    x: &'a [T],
    shape: Groups,
    window: Window<'w, T>,
}

impl<T: Byte> Kernel for Group<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let by = self.by;
        let Groups { channels, positions, groups, channels_last, .. } = self.shape;
        let share = channels / groups;
        let steps = Steps::new(isa, by.quantizer(T::SPAN, 1.0 / by.output.scale));
        let zero_point = isa.i_splat(by.input.zero_point);
        if !channels_last {
            for r in self.window.rows() {
                let out = self.window.row(r);
                let n = out.len();
                let x = &self.x[r * n..][..n];
                let (center, k) = by.statistics(moments(isa, x), n);
                for c in 0..share {
                    let j = (r * share + c) % channels;
                    let line = Line {
                        center: Factor::All(center),
                        scale: 1.0,
                        factor: Factor::All(k * by.weight(j)),
                        shift: Factor::All(by.bias(j)),
                    };
                    let own = c * positions..(c + 1) * positions;
                    apply::<I, T, true>(
                        isa,
                        &x[own.clone()],
                        zero_point,
                        line,
                        &steps,
                        &mut out[own],
                    );
                }
            }
            return;
        }
        let columns = self.window.columns();
        let mut sums = vec![(0, 0); columns.len()];
        let [mut centers, mut factors, mut shifts] = [(); 3].map(|()| vec![0.0; columns.len()]);
        for first in self.window.rows().step_by(positions.max(1)) {
            let image = &self.x[first * channels..][..positions * channels];
            channel_moments(isa, image, channels, columns.clone(), &mut sums);
            for from in (0..columns.len()).step_by(share) {
                let mut total = (0, 0);
                for own in &sums[from..from + share] {
                    total = (total.0 + own.0, total.1 + own.1);
                }
                let (center, k) = by.statistics(total, share * positions);
                for c in from..from + share {
                    let j = columns.start + c;
                    centers[c] = center;
                    factors[c] = k * by.weight(j);
                    shifts[c] = by.bias(j);
                }
            }
            let line = Line {
                center: Factor::Each(&centers),
                scale: 1.0,
                factor: Factor::Each(&factors),
                shift: Factor::Each(&shifts),
            };
            for r in first..first + positions {
                let x = &self.x[r * channels..][columns.clone()];
                apply::<I, T, true>(isa, x, zero_point, line, &steps, self.window.row(r));
            }
        }
    }
}
