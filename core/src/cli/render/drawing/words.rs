//! Numbers and reasons as they stand in a picture.

use servicemap_map::model::{HealthReason, HealthStatus};

/// Marks that are words as well: a picture in grey says the same.
pub(super) const CYCLE: &str = "↻";
pub(super) const CRITICAL: &str = "◆";

/// `1,240`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 service`, `1,240 services`.
pub(super) fn many(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { more })
}

/// `✖ unhealthy`; nothing about what works or is not known.
pub(super) const fn trouble(status: HealthStatus) -> Option<&'static str> {
    match status {
        HealthStatus::Degraded => Some("⚠ degraded"),
        HealthStatus::Unhealthy => Some("✖ unhealthy"),
        HealthStatus::Healthy | HealthStatus::Unknown => None,
    }
}

/// `✖ unhealthy: no endpoints`.
pub(super) fn diagnosis(status: HealthStatus, reasons: &[HealthReason]) -> Option<String> {
    let trouble = trouble(status)?;
    let Some(reason) = reasons.first() else { return Some(trouble.to_owned()) };
    Some(format!("{trouble}: {}", reason.as_str().replace('_', " ")))
}
