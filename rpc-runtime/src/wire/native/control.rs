//! Frames that belong to the connection and to no call: SETTINGS, PING, GO_AWAY.

use std::sync::atomic::Ordering;

use super::field::CallFields;
use super::frame::{Flags, Frame, FrameType};
use super::receive::Receiver;
use super::settings::WireSettings;
use crate::status::{Code, Status};

/// Why a connection cannot go on.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) code: Code,
    pub(super) text: String,
}

impl Broken {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            code: Code::Internal,
            text: text.into(),
        }
    }

    pub(super) fn with_code(self, code: Code) -> Self {
        Self { code, ..self }
    }
}

impl Receiver {
    pub(super) fn settings(&mut self, frame: &Frame) -> Result<(), Broken> {
        if self.settings_seen {
            return Err(Broken::new("SETTINGS came twice".to_owned()));
        }
        self.settings_seen = true;
        let settings = WireSettings::decode(&frame.payload);
        let settings = settings.map_err(|error| Broken::new(format!("bad SETTINGS: {error}")))?;
        let mut state = self.shared.state();
        // Under the lock, where `introduced` looks for it before it leaves its waker.
        let _ = self.shared.peer_settings.set(settings);
        state.outgoing.set_max_frame(settings.max_frame);
        let places = usize::try_from(settings.max_calls).unwrap_or(usize::MAX);
        self.shared.places.add_permits(places.min(1 << 20));
        // Who waits for the introduction waits where others wait for room.
        self.wakers.append(&mut state.room.take_all());
        Ok(())
    }

    pub(super) fn ping(&mut self, frame: &Frame) -> Result<(), Broken> {
        if frame.payload.len() != 8 {
            let length = frame.payload.len();
            return Err(Broken::new(format!("a PING has {length} bytes, not 8")));
        }
        if !frame.flags.contains(Flags::ACK) {
            self.shared
                .state()
                .push(FrameType::PING, Flags::ACK, 0, &frame.payload);
        }
        self.check_flood()
    }

    pub(super) fn go_away(&mut self, frame: Frame) -> Result<(), Broken> {
        let fields = CallFields::parse(&frame.payload, &self.field_limits());
        let fields = fields.map_err(|error| Broken::new(format!("bad GO_AWAY: {error}")))?;
        let mut state = self.shared.state();
        state.peer_draining = true;
        self.shared.refuses.store(true, Ordering::Release);
        let last = fields.last_call.unwrap_or(u64::MAX);
        let mut lost: Vec<u64> = state
            .calls
            .keys()
            .copied()
            .filter(|call| *call > last)
            .collect();
        lost.sort_unstable();
        let removed: Vec<_> = lost
            .iter()
            .filter_map(|call| {
                state.outgoing.forget(*call);
                self.shared.remove_call(&mut state, *call)
            })
            .collect();
        drop(state);
        for call in removed {
            let text = "the server shut down before it saw the call";
            let status = Status::unavailable(text).into_not_started();
            let status = status.at_peer(&self.shared.peer);
            self.finish(call, Err(status));
        }
        Ok(())
    }
}
