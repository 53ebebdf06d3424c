//! What serde leaves out: values that are what a reader takes for granted are not written.

/// Whether a value is its type's default.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The default of what is true nearly always.
pub(super) const fn yes() -> bool {
    true
}

/// Whether a value is true.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if wants a reference")]
pub(super) const fn is_yes(value: &bool) -> bool {
    *value
}
