//! The request that a response answers, as far as its signature covers the request.

use super::component::Component;
use crate::structured::text;

/// A signed request, by its signature base.
///
/// The signature of a response covers copies of these lines (RFC 9421 section 2.4). So nobody has to
/// keep the request itself.
#[derive(Clone, Copy)]
pub(crate) struct AnsweredRequest<'a> {
    /// The signature base. Something else may follow its last line.
    base: &'a [u8],
    /// Where the value of `@signature-params` starts in it.
    params_start: usize,
}

impl<'a> AnsweredRequest<'a> {
    pub(crate) fn new(base: &'a [u8], params_start: usize) -> Self {
        Self { base, params_start }
    }

    /// The covered components with their values, in their order.
    pub(crate) fn lines(self) -> impl Iterator<Item = (Component<'a>, &'a str)> {
        let lines = self.base.split(|byte| *byte == b'\n');
        self.components().zip(lines).map(|(component, line)| {
            let value = &line[component.identifier().len() + ": ".len()..];
            (component, text(value))
        })
    }

    /// The covered components, in their order.
    pub(crate) fn components(self) -> super::Components<'a> {
        super::Components::of(&self.base[self.params_start..])
    }

    /// The value that a component of the response with the parameter `req` copies.
    pub(super) fn value_of_copy(self, copy: &Component<'_>) -> Option<&'a str> {
        let mut lines = self.lines();
        lines.find_map(|(component, value)| copy.is_copy_of(&component).then_some(value))
    }

    /// The value of a covered component without parameters.
    pub(crate) fn value(self, name: &str) -> Option<&'a str> {
        let mut lines = self.lines();
        lines.find_map(|(component, value)| {
            let is_it = component.is_plain() && component.name().as_str() == name;
            is_it.then_some(value)
        })
    }
}
