//! The bytes of a fuzzer as a series of choices.

/// Reads choices from the front. At the end, each choice is the first one, and each text is empty.
#[derive(Debug)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// The choices that these bytes make.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Whether something happens, once in so many times.
    pub fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    /// Some of these, in their order.
    pub fn some_of<T: Copy>(&mut self, all: &[T]) -> Vec<T> {
        debug_assert!(all.len() <= 8);
        let chosen = self.byte();
        let is_chosen = |at: &usize| chosen & 1 << at != 0;
        (0..all.len()).filter(is_chosen).map(|at| all[at]).collect()
    }

    /// Bytes up to a zero, which is left out.
    pub fn text(&mut self) -> &'a [u8] {
        let len = self.0.iter().position(|byte| *byte == 0);
        let (text, rest) = self.0.split_at(len.unwrap_or(self.0.len()));
        self.0 = rest.get(1..).unwrap_or_default();
        text
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
