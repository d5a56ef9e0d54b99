//! Which inputs each output of a pooling sees along one axis.

use crate::error::{Error, Result};

/// The inputs of one output: `first`, `first + step`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First position inside the input.
    pub first: usize,
    /// Positions inside the input.
    pub count: usize,
    /// Positions inside the input and its padding.
    pub padded: usize,
}

/// One axis of a pooling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Length of the input.
    pub size: usize,
    /// From one position of a window to the next.
    pub step: usize,
    /// One for each output.
    pub windows: Vec<Window>,
}

/// A window that slides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slide {
    /// Positions in the window.
    pub kernel: usize,
    /// From one window to the next.
    pub stride: usize,
    /// Positions added on each side of the input.
    pub padding: usize,
    /// From one position of the window to the next.
    pub dilation: usize,
    /// Whether a last window may reach beyond the padding, if it starts before the padding's end.
    pub ceil: bool,
}

impl Axis {
    /// Windows that slide over `size` inputs.
    ///
    /// # Errors
    /// If a number is 0 that must not be, the padding exceeds half the kernel, or not one window fits.
    pub fn sliding(op: &'static str, size: usize, slide: Slide) -> Result<Self> {
        let Slide { kernel, stride, padding, dilation, ceil } = slide;
        let refuse = |message| Err(Error::Sizes { op, message });
        if kernel == 0 || stride == 0 || dilation == 0 {
            return refuse(format!(
                "kernel {kernel}, stride {stride}, dilation {dilation} came, expected at least 1"
            ));
        }
        if 2 * padding > kernel {
            return refuse(format!(
                "padding {padding} came for a kernel of {kernel}, expected at most half of it"
            ));
        }
        let reach = dilation * (kernel - 1) + 1;
        let Some(room) = (size + 2 * padding).checked_sub(reach) else {
            return refuse(format!(
                "input of length {size} with padding {padding} is smaller than the kernel's reach of \
                 {reach}; use a larger input or more padding"
            ));
        };
        let mut count = room / stride + 1;
        if ceil && !room.is_multiple_of(stride) && count * stride < size + padding {
            count += 1;
        }
        let window = |output: usize| {
            // Positions are counted from the left end of the padding.
            let start = output * stride;
            let skipped = padding.saturating_sub(start).div_ceil(dilation);
            let ends = (padding + size).saturating_sub(start).div_ceil(dilation).min(kernel);
            Window {
                first: (start + skipped * dilation).saturating_sub(padding),
                count: ends.saturating_sub(skipped),
                padded: kernel.min((size + 2 * padding - start).div_ceil(dilation)),
            }
        };
        Ok(Self { size, step: dilation, windows: (0..count).map(window).collect() })
    }

    /// `count` windows that cover `size` inputs: window `i` reaches from `floor(i size / count)` to
    /// `ceil((i + 1) size / count)`.
    ///
    /// # Errors
    /// If there is no input.
    pub fn adaptive(op: &'static str, size: usize, count: usize) -> Result<Self> {
        if size == 0 {
            let message = "an axis without inputs came, expected some".to_owned();
            return Err(Error::Sizes { op, message });
        }
        let window = |output: usize| {
            let first = output * size / count;
            let reach = ((output + 1) * size).div_ceil(count) - first;
            Window { first, count: reach, padded: reach }
        };
        Ok(Self { size, step: 1, windows: (0..count).map(window).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(kernel: usize, stride: usize, padding: usize, dilation: usize, ceil: bool) -> Slide {
        Slide { kernel, stride, padding, dilation, ceil }
    }

    fn windows(size: usize, slide: Slide) -> Vec<(usize, usize, usize)> {
        let axis = Axis::sliding("test", size, slide).expect("a good window");
        axis.windows.iter().map(|w| (w.first, w.count, w.padded)).collect()
    }

    #[test]
    fn padding_is_cut_off_and_counted() {
        assert_eq!(windows(5, plain(3, 2, 1, 1, false)), [(0, 2, 3), (1, 3, 3), (3, 2, 3)]);
        assert_eq!(windows(4, plain(2, 2, 0, 1, false)), [(0, 2, 2), (2, 2, 2)]);
    }

    #[test]
    fn a_last_window_may_be_cut_short() {
        assert_eq!(windows(5, plain(2, 2, 0, 1, true)), [(0, 2, 2), (2, 2, 2), (4, 1, 1)]);
        // The third would start in the padding on the right.
        assert_eq!(windows(3, plain(2, 2, 1, 1, true)), [(0, 1, 2), (1, 2, 2)]);
    }

    #[test]
    fn dilated_windows_skip() {
        assert_eq!(windows(5, plain(3, 1, 1, 2, false)), [(1, 2, 3), (0, 3, 3), (1, 2, 3)]);
        // Both positions lie in the padding.
        assert_eq!(windows(1, plain(2, 1, 1, 2, false)), [(1, 0, 2)]);
    }

    #[test]
    fn adaptive_windows_overlap() {
        let axis = Axis::adaptive("test", 5, 3).expect("some input");
        let reaches: Vec<_> = axis.windows.iter().map(|w| (w.first, w.count)).collect();
        assert_eq!(reaches, [(0, 2), (1, 3), (3, 2)]);
    }

    #[test]
    fn windows_that_cannot_be_are_refused() {
        for slide in [
            plain(0, 1, 0, 1, false),
            plain(1, 0, 0, 1, false),
            plain(2, 1, 0, 0, false),
            plain(3, 1, 2, 1, false),
            plain(7, 1, 0, 1, false),
        ] {
            assert!(Axis::sliding("test", 5, slide).is_err(), "{slide:?}");
        }
        assert!(Axis::adaptive("test", 0, 1).is_err());
    }
}
