//! What each side tells the other about itself, once, in its first frame.

use bytes::BytesMut;

use super::field::{FieldError, FieldProblem, FieldType, Fields, put_varint_field, varint_value};
use super::frame::{Flags, FrameHeader, FrameType, begin_frame, finish_frame};

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
