//! What each side tells the other about itself, once, in its first frame.

use bytes::BytesMut;

use super::field::{FieldError, FieldProblem, FieldType, Fields, put_varint_field, varint_value};
use super::frame::{Flags, FrameHeader, FrameType, begin_frame, finish_frame};
use crate::wire::config::Config;

/// The least that a side may announce as its largest frame: a fragment of 64 KiB beside the
/// fields fits, so a sender can begin before it knows the peer's settings.
pub(crate) const LEAST_MAX_FRAME: u32 = 128 * 1024;

/// What the side that sends them is ready to receive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WireSettings {
    /// The longest payload of a frame.
    pub(crate) max_frame: u32,
    /// The longest message, with all its fragments.
    pub(crate) max_message: u64,
    /// The longest block of fields.
    pub(crate) max_fields: u32,
    /// How much of each stream may come before any CREDIT.
    pub(crate) stream_window: u32,
    /// How many calls of the other side may be open at once; 0 refuses calls.
    pub(crate) max_calls: u32,
}

impl Default for WireSettings {
    fn default() -> Self {
        Self {
            max_frame: 1024 * 1024,
            max_message: 16 * 1024 * 1024,
            max_fields: 16 * 1024,
            stream_window: 256 * 1024,
            max_calls: 16_384,
        }
    }
}

impl Config {
    /// Returns what a side says of itself; one that serves nothing takes no calls.
    pub(super) fn settings(&self, serves: bool) -> WireSettings {
        let defaults = WireSettings::default();
        WireSettings {
            max_message: self.limits.max_message as u64,
            max_fields: u32::try_from(self.limits.max_metadata).unwrap_or(defaults.max_fields),
            stream_window: self.limits.stream_window,
            max_calls: if serves { self.limits.max_calls } else { 0 },
            ..defaults
        }
    }
}

impl WireSettings {
    /// What a side assumes of a peer that did not say otherwise (yet).
    pub(crate) const ASSUMED: Self = Self {
        max_frame: LEAST_MAX_FRAME,
        max_message: 4 * 1024 * 1024,
        max_fields: 16 * 1024,
        stream_window: 64 * 1024,
        max_calls: 16_384,
    };

    /// Writes a whole SETTINGS frame.
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        let start = begin_frame(out);
        put_varint_field(out, FieldType::MAX_FRAME, self.max_frame.into());
        put_varint_field(out, FieldType::MAX_MESSAGE, self.max_message);
        put_varint_field(out, FieldType::MAX_FIELDS, self.max_fields.into());
        put_varint_field(out, FieldType::STREAM_WINDOW, self.stream_window.into());
        put_varint_field(out, FieldType::MAX_CALLS, self.max_calls.into());
        let header = FrameHeader::new(FrameType::SETTINGS, Flags::NONE, 0);
        finish_frame(out, start, header);
    }

    /// Reads the payload of a SETTINGS frame. Numbers beyond what this side can count to become
    /// the largest that it can.
    ///
    /// # Errors
    ///
    /// A field is malformed, repeated, too small to be of use, or unknown and may not be ignored.
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, FieldError> {
        let mut seen = Seen::default();
        for field in Fields::new(payload) {
            let (field, value) = field?;
            seen.read(field, value)?;
        }
        let assumed = Self::ASSUMED;
        Ok(Self {
            max_frame: seen.max_frame.map_or(assumed.max_frame, clamp),
            max_message: seen.max_message.unwrap_or(assumed.max_message),
            max_fields: seen.max_fields.map_or(assumed.max_fields, clamp),
            stream_window: seen.stream_window.map_or(assumed.stream_window, clamp),
            max_calls: seen.max_calls.map_or(assumed.max_calls, clamp),
        })
    }
}

fn clamp(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[derive(Default)]
struct Seen {
    max_frame: Option<u64>,
    max_message: Option<u64>,
    max_fields: Option<u64>,
    stream_window: Option<u64>,
    max_calls: Option<u64>,
}

impl Seen {
    fn read(&mut self, field: FieldType, value: &[u8]) -> Result<(), FieldError> {
        let (slot, least) = match field {
            FieldType::MAX_FRAME => (&mut self.max_frame, LEAST_MAX_FRAME.into()),
            FieldType::MAX_MESSAGE => (&mut self.max_message, 1),
            FieldType::MAX_FIELDS => (&mut self.max_fields, 1024),
            FieldType::STREAM_WINDOW => (&mut self.stream_window, 0),
            FieldType::MAX_CALLS => (&mut self.max_calls, 0),
            _ if field.may_ignore() => return Ok(()),
            _ => return Err(FieldError::of(field, FieldProblem::Unknown)),
        };
        let number = varint_value(field, value)?;
        if number < least {
            return Err(FieldError::of(
                field,
                FieldProblem::NumberTooSmall { least },
            ));
        }
        match slot.replace(number) {
            None => Ok(()),
            Some(_) => Err(FieldError::of(field, FieldProblem::Repeated)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::native::field::put_field;
    use crate::wire::native::frame::FrameReader;

    fn block_of(fields: &[(FieldType, u64)]) -> BytesMut {
        let mut out = BytesMut::new();
        for &(field, value) in fields {
            put_varint_field(&mut out, field, value);
        }
        out
    }

    #[test]
    fn settings_survive_as_one_frame() {
        let settings = WireSettings {
            max_frame: u32::MAX,
            max_message: u64::MAX,
            max_fields: 1024,
            stream_window: 0,
            max_calls: 0,
        };
        for settings in [settings, WireSettings::default(), WireSettings::ASSUMED] {
            let mut out = BytesMut::new();
            settings.encode(&mut out);
            let mut reader = FrameReader::with_bytes(64, out);
            let frame = reader.next().unwrap().unwrap();
            assert_eq!((frame.frame_type, frame.call), (FrameType::SETTINGS, 0));
            assert_eq!(WireSettings::decode(&frame.payload), Ok(settings));
            assert!(!reader.is_mid_frame());
        }
    }

    #[test]
    fn what_is_absent_is_assumed_and_what_is_huge_is_clamped() {
        assert_eq!(WireSettings::decode(&[]), Ok(WireSettings::ASSUMED));
        let huge = block_of(&[(FieldType::MAX_CALLS, u64::MAX), (FieldType(0x9F), 1)]);
        let settings = WireSettings::decode(&huge).unwrap();
        assert_eq!(settings.max_calls, u32::MAX);
    }

    #[test]
    fn useless_and_malformed_settings_are_refused_by_name() {
        let message = |block: &[u8]| WireSettings::decode(block).unwrap_err().to_string();
        let small = |field, value| message(&block_of(&[(field, value)]));
        let expected = "field `MAX_FRAME` is below 131072, the least that is allowed";
        assert_eq!(small(FieldType::MAX_FRAME, 0), expected);
        assert_eq!(small(FieldType::MAX_FRAME, 131_071), expected);
        assert!(small(FieldType::MAX_MESSAGE, 0).contains("`MAX_MESSAGE`"));
        assert!(small(FieldType::MAX_FIELDS, 1023).contains("`MAX_FIELDS`"));
        let twice = block_of(&[(FieldType::MAX_CALLS, 1), (FieldType::MAX_CALLS, 1)]);
        let expected = "field `MAX_CALLS` is there more than once";
        assert_eq!(message(&twice), expected);
        let expected = "field 0x15 is unknown here and must be understood";
        assert_eq!(small(FieldType(0x15), 1), expected);
        let mut block = BytesMut::new();
        put_field(&mut block, FieldType::MAX_CALLS, &[1, 1]);
        let expected = "field `MAX_CALLS` has bytes after its end";
        assert_eq!(message(&block), expected);
    }

    #[test]
    fn truncations_and_mutations_never_panic() {
        let mut frame = BytesMut::new();
        WireSettings::default().encode(&mut frame);
        let payload = &frame[16..];
        let mut random = fastrand::Rng::with_seed(0x53_45_54);
        for length in 0..payload.len() {
            let cut = &payload[..length];
            let clean = Fields::new(cut).all(|field| field.is_ok());
            assert_eq!(WireSettings::decode(cut).is_ok(), clean, "{length}");
            for _ in 0..200 {
                let mut mutated = payload.to_vec();
                let position = random.usize(..mutated.len());
                mutated[position] = random.u8(..);
                mutated.truncate(length);
                drop(WireSettings::decode(&mutated));
            }
        }
    }
}
