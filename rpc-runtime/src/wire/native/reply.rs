//! The frames of an answer.

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;

use super::calls::PeersCall;
use super::connection::Shared;
use super::field::{
    FieldType, begin_block, finish_block, put_field, put_metadata, put_varint_field,
};
use super::frame::{Flags, FrameHeader, FrameType, begin_frame, finish_frame};
use super::outgoing::{Body as OutBody, Parts};
use super::resume::put_kept;
use super::schema::put_schema;
use super::sender::{check_length, encode_behind, with_scratch};
use super::settings::WireSettings;
use crate::call::{
    Cancellation, ErrorBody, Kept, Message, Response, Rope, Schema, ServiceDescriptor,
};
use crate::codec::Encoding;
use crate::status::Status;

/// What is kept of a block of fields for those that are not metadata.
const OTHER_FIELDS: usize = 64;

/// How an answer is written.
#[derive(Clone, Copy)]
pub(super) struct Reply {
    pub(super) call: u64,
    pub(super) encoding: Encoding,
    /// The number of the method, if the peer is to learn it.
    pub(super) number: Option<u64>,
    /// The service, if the peer is to learn in which form it is served.
    pub(super) service: Option<&'static ServiceDescriptor>,
}

impl Reply {
    /// An answer that tells the peer nothing but itself.
    pub(super) fn plain(call: u64, encoding: Encoding) -> Self {
        Self {
            call,
            encoding,
            number: None,
            service: None,
        }
    }

    /// Writes an answer that is whole. A response that streams comes back. Of a failure it must be
    /// [known](started) whether a handler saw the call.
    pub(super) fn write(
        self,
        shared: &Shared,
        frames: &mut BytesMut,
        result: Result<Response, Status>,
    ) -> Option<Response> {
        let mut response = match result {
            Ok(response) if response.body().is_stream() => return Some(response),
            Ok(response) => response,
            Err(status) => {
                let flags = if status.is_not_started() {
                    Flags::NOT_STARTED
                } else {
                    Flags::NONE
                };
                error_frame(shared, frames, self, status, flags);
                return None;
            }
        };
        let mut body = response.take_body();
        let start = frames.len();
        if let Err(status) = self.write_whole(shared, frames, &response, body.single_mut()) {
            frames.truncate(start);
            error_frame(shared, frames, self, status, Flags::NONE);
        }
        None
    }

    fn write_whole(
        self,
        shared: &Shared,
        frames: &mut BytesMut,
        response: &Response,
        message: Option<&mut Message>,
    ) -> Result<(), Status> {
        let trailers = response.trailers();
        let mut flags = if trailers.is_empty() {
            Flags::END
        } else {
            Flags::NONE
        };
        if message.is_some() {
            flags = flags | Flags::BODY;
        }
        check_metadata(shared, response.metadata())?;
        check_metadata(shared, trailers)?;
        let start = begin_frame(frames);
        self.put_fields(frames, response.metadata(), None);
        if let Some(message) = message {
            let head = frames.len();
            if let Some(large) = encode_behind(message, self.encoding, frames)? {
                check_length(shared, large.len())?;
                let head = frames
                    .split_off(start)
                    .split_off(super::frame::HEADER_LENGTH);
                self.push_large(shared, flags, &head, large, trailers);
                return Ok(());
            }
            check_length(shared, frames.len() - head)?;
        }
        finish_frame(
            frames,
            start,
            FrameHeader::new(FrameType::RESPONSE, flags, self.call),
        );
        if !trailers.is_empty() {
            self.put_end(frames, trailers);
        }
        Ok(())
    }

    /// Queues a large message by reference, straight into what waits to be written.
    fn push_large(
        self,
        shared: &Shared,
        flags: Flags,
        head: &[u8],
        large: Rope,
        trailers: &HeaderMap,
    ) {
        let mut state = shared.state();
        state.outgoing.push(Parts {
            frame_type: FrameType::RESPONSE,
            flags,
            call: self.call,
            head: &[head],
            body: OutBody::Shared(large),
        });
        if !trailers.is_empty() {
            let mut payload = BytesMut::new();
            put_metadata(&mut payload, trailers);
            state.push(FrameType::END, Flags::END, self.call, &payload);
        }
    }

    /// Writes the acceptance of a stream.
    pub(super) fn write_head(self, frames: &mut BytesMut, response: &Response) {
        let start = begin_frame(frames);
        let kept = response.extensions().get::<Kept>();
        self.put_fields(frames, response.metadata(), kept);
        let header = FrameHeader::new(FrameType::RESPONSE, Flags::NONE, self.call);
        finish_frame(frames, start, header);
    }

    fn put_fields(self, out: &mut BytesMut, metadata: &HeaderMap, kept: Option<&Kept>) {
        let block = begin_block(out);
        if let Some(number) = self.number {
            put_varint_field(out, FieldType::METHOD_NUMBER, number);
        }
        self.put_service(out);
        put_metadata(out, metadata);
        if let Some(kept) = kept {
            put_kept(out, kept);
        }
        finish_block(out, block);
    }

    fn put_service(self, out: &mut BytesMut) {
        if let Some(service) = self.service {
            put_schema(out, &Schema::of(service));
        }
    }

    fn put_end(self, frames: &mut BytesMut, trailers: &HeaderMap) {
        let start = begin_frame(frames);
        put_metadata(frames, trailers);
        finish_frame(
            frames,
            start,
            FrameHeader::new(FrameType::END, Flags::END, self.call),
        );
    }
}

/// Takes back that no handler saw a call which one did: a layer may have failed behind it, with what
/// is true of a call of its own.
pub(super) fn started(status: Status, cancellation: &Cancellation) -> Status {
    if cancellation.is_started() {
        status.into_started()
    } else {
        status
    }
}

fn check_metadata(shared: &Shared, metadata: &HeaderMap) -> Result<(), Status> {
    if metadata.is_empty() {
        return Ok(());
    }
    let length = with_scratch(|scratch| {
        put_metadata(scratch, metadata);
        scratch.len()
    });
    let limit = field_limit(shared);
    if length > limit {
        return Err(Status::resource_exhausted(format!(
            "{length} bytes of reply metadata are over the limit `max_metadata` of {} bytes, of which \
             {OTHER_FIELDS} are for other fields",
            limit + OTHER_FIELDS
        )));
    }
    Ok(())
}

/// How many bytes of fields the peer takes, less the few that every block has.
fn field_limit(shared: &Shared) -> usize {
    let settings = shared.peer_settings.get();
    let limit = settings.map_or(WireSettings::ASSUMED.max_fields, |it| it.max_fields);
    usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .saturating_sub(OTHER_FIELDS)
}

/// Writes an ERROR that fits what the peer takes: first the details go, then the metadata, then
/// the end of the text.
pub(super) fn error_frame(
    shared: &Shared,
    frames: &mut BytesMut,
    reply: Reply,
    status: Status,
    flags: Flags,
) {
    let limit = field_limit(shared);
    let text = shorten(status.message(), limit / 2);
    let start = begin_frame(frames);
    put_varint_field(frames, FieldType::CODE, status.code().number().into());
    put_field(frames, FieldType::TEXT, text.as_bytes());
    reply.put_service(frames);
    if let Some(pushback) = status.pushback() {
        put_varint_field(frames, FieldType::PUSHBACK, pushback.to_number());
    }
    let fits = |frames: &BytesMut, more: usize| frames.len() - start + more <= limit;
    let mut metadata = BytesMut::new();
    put_metadata(&mut metadata, status.metadata());
    let details = details(&status, reply.encoding);
    if fits(frames, metadata.len()) {
        frames.put_slice(&metadata);
    }
    if let Some(details) = details
        && fits(frames, details.len() + 16)
    {
        put_field(frames, FieldType::DETAILS, &details);
    }
    finish_frame(
        frames,
        start,
        FrameHeader::new(FrameType::ERROR, flags | Flags::END, reply.call),
    );
}

fn details(status: &Status, encoding: Encoding) -> Option<Bytes> {
    let body = status.attachment()?.downcast_ref::<ErrorBody>()?;
    match body.bytes(encoding)? {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            tracing::warn!(%error, "a method's own error cannot be encoded");
            None
        }
    }
}

fn shorten(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// Ends a call of the peer, with an ERROR if it is open for the peer yet. It is over before that can be
/// read, as with a [good end](super::sender::Sender::end).
pub(super) fn send_error(shared: &Shared, call: u64, encoding: Encoding, status: Status) {
    let mut frame = BytesMut::new();
    let reply = Reply::plain(call, encoding);
    error_frame(shared, &mut frame, reply, status, Flags::NONE);
    let mut state = shared.state();
    let removed = state.remove_peers_call(call);
    if removed.as_ref().is_some_and(|it| !it.silenced) {
        state.outgoing.forget(call);
        state.outgoing.push_frames(&frame);
    }
    drop(state);
    removed.into_iter().for_each(PeersCall::end);
}
