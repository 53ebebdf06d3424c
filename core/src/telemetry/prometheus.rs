//! Readings as what a Prometheus scrape reads: the text format, or OpenMetrics where the scraper prefers it.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use servicemap_map::model::Readings;

use super::descriptors::{ALL, Descriptor, Kind};
use super::families::{Durations, Family, Point, PointValue, families};

/// In which form to show metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The form that a scraper prefers, by the `Accept` header of its request.
    pub fn from_accept(accept: &str) -> Self {
        let weight = |wanted: &str| {
            accept.split(',').filter_map(|range| weight_of(range, wanted)).fold(0.0_f64, f64::max)
        };
        let open_metrics = weight("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= weight("text/plain") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// The `Content-Type` of the answer.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The weight of a media range if it is the wanted type; 1 without `q`.
fn weight_of(range: &str, wanted: &str) -> Option<f64> {
    let mut parts = range.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(wanted) {
        return None;
    }
    let quality = parts.find_map(|parameter| parameter.strip_prefix("q="));
    Some(quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
}

/// Metrics in the given form; at most `max_edge_series` edges have series.
pub fn encode(readings: Readings, max_edge_series: usize, format: Format) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape { readings, max_edge_series }));
    let mut open_metrics = String::new();
    text::encode(&mut open_metrics, &registry)?;
    Ok(match format {
        Format::OpenMetrics => open_metrics,
        Format::Text => to_text_format(&open_metrics),
    })
}

/// One scrape: rendered from readings, so that series of things that are gone are gone.
#[derive(Debug)]
struct Scrape {
    readings: Readings,
    max_edge_series: usize,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for Family { descriptor, points } in families(&self.readings, self.max_edge_series) {
            let metric_type = match descriptor.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
                Kind::Info => MetricType::Info,
            };
            let mut family =
                encoder.encode_descriptor(descriptor.family_name(), descriptor.help, None, metric_type)?;
            for point in &points {
                let labels = labels(descriptor, point);
                match (descriptor.kind, point.value) {
                    (Kind::Info, _) => family.encode_info(&labels)?,
                    // An empty label set of a family would be shown as `{}`.
                    (Kind::Gauge, PointValue::Count(count)) if labels.is_empty() => {
                        family.encode_gauge(&count)?;
                    }
                    (Kind::Gauge, PointValue::Count(count)) => {
                        family.encode_family(&labels)?.encode_gauge(&count)?;
                    }
                    (_, PointValue::Count(count)) if labels.is_empty() => {
                        family.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
                    }
                    (_, PointValue::Count(count)) => {
                        family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
                    }
                    (_, PointValue::Durations(durations)) => {
                        family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                            durations.sum,
                            durations.count(),
                            &buckets(durations),
                            None,
                        )?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn labels<'a>(descriptor: &Descriptor, point: &'a Point<'_>) -> Vec<(&'static str, &'a str)> {
    descriptor
        .labels
        .iter()
        .map(|label| label.prometheus)
        .zip(point.labels.iter().map(|value| &*value.text))
        .collect()
}

fn buckets(durations: Durations<'_>) -> Vec<(f64, u64)> {
    let bounds = durations.bounds.iter().copied().chain([f64::INFINITY]);
    bounds.zip(durations.counts.iter().copied()).collect()
}

/// OpenMetrics as the older text format has it: families named as their samples are, no type `info`, no end mark.
fn to_text_format(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + 1024);
    for line in open_metrics.lines() {
        if line == "# EOF" {
            continue;
        }
        match line.strip_prefix("# ").and_then(describe_in_text_format) {
            Some(described) => text.push_str(&described),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// A `HELP` or `TYPE` line of the text format, from the same line of OpenMetrics without its `# `.
fn describe_in_text_format(line: &str) -> Option<String> {
    let mut words = line.splitn(3, ' ');
    let (keyword, name, rest) = (words.next()?, words.next()?, words.next()?);
    let descriptor = ALL.into_iter().find(|descriptor| descriptor.family_name() == name)?;
    let rest = if keyword == "TYPE" && descriptor.kind == Kind::Info { "gauge" } else { rest };
    Some(format!("# {keyword} {} {rest}", descriptor.prometheus))
}

#[cfg(test)]
#[path = "prometheus_tests.rs"]
mod tests;
