//! Which `connection.*` events are told where there are too many of them. The edge decides, not chance: what was told of
//! one is told to its end, and a replay tells the same ones.

use uuid::Uuid;

/// Namespace UUID of samples, made once at random; with that of event ids a sample would depend on them.
const NAMESPACE: Uuid = Uuid::from_u128(0x1f4b_7c02_90ad_4e6b_a8c3_55de_7b19_02f6);

/// Bits of a UUIDv5 that follow from the name alone.
const BITS: u32 = 62;

/// Tells a share of all edges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampler {
    ratio: f64,
}

impl Sampler {
    /// `ratio` is from 0 (none) to 1 (all).
    pub(super) const fn new(ratio: f64) -> Self {
        Self { ratio }
    }

    /// The share that is told, where that is not all.
    pub(super) fn ratio(self) -> Option<f64> {
        (self.ratio < 1.0).then_some(self.ratio)
    }

    /// Whether events about an edge with this key are told.
    pub(super) fn keeps(self, key: &str) -> bool {
        if self.ratio >= 1.0 {
            return true;
        }
        let name = Uuid::new_v5(&NAMESPACE, key.as_bytes()).as_u128() & ((1 << BITS) - 1);
        #[expect(clippy::cast_precision_loss, reason = "53 of 62 bits are plenty for a share")]
        let place = name as f64 / (1_u64 << BITS) as f64;
        place < self.ratio
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_large_a_share_is_kept_as_was_asked_for() {
        for (ratio, about) in [(0.0, 0..=0), (0.1, 900..=1_100), (0.5, 4_800..=5_200), (1.0, 10_000..=10_000)]
        {
            let sampler = Sampler::new(ratio);
            let kept = (0..10_000).filter(|n| sampler.keeps(&format!("shop/a->shop/b{n}:80/tcp"))).count();
            assert!(about.contains(&kept), "{ratio}: {kept}");
        }
    }

    #[test]
    fn a_larger_share_holds_the_smaller_one() {
        let (small, large) = (Sampler::new(0.1), Sampler::new(0.3));
        let keys = (0..1_000).map(|n| n.to_string());
        assert!(keys.into_iter().all(|key| !small.keeps(&key) || large.keeps(&key)));
    }
}
