//! The service, which answers from the state.

use futures_core::Stream;
use tokio::sync::watch;

use super::v1::health_check_response::ServingStatus;
use super::v1::{self, HealthCheckRequest, HealthCheckResponse, HealthListRequest};
use super::v1::{HealthListResponse, HealthServer};
use super::{Health, State};
use crate::server::Unfold;
use crate::status::Status;

/// Answers from a [`Health`].
pub(in crate::server) struct HealthService(Health);

impl HealthService {
    pub(in crate::server) fn server(health: Health) -> HealthServer<Self> {
        HealthServer::new(Self(health))
    }
}

impl v1::Health for HealthService {
    async fn check(&self, request: HealthCheckRequest) -> Result<HealthCheckResponse, Status> {
        let is_serving = self.0.0.borrow().is_serving(&request.service);
        if is_serving.is_none() {
            return Err(Status::not_found("the service is not known to this server"));
        }
        Ok(response(is_serving))
    }

    async fn list(&self, _: HealthListRequest) -> Result<HealthListResponse, Status> {
        let state = self.0.0.borrow();
        if state.services.len() > state.max_listed {
            return Err(Status::resource_exhausted(format!(
                "there are {} services, and `List` is for up to {} (`max_listed`): use `Check`",
                state.services.len(),
                state.max_listed
            )));
        }
        let services = state.services.keys();
        let statuses = services.map(|it| (it.clone(), response(state.is_serving(it))));
        Ok(HealthListResponse {
            statuses: statuses.collect(),
            ..HealthListResponse::default()
        })
    }

    fn watch(
        &self,
        request: HealthCheckRequest,
    ) -> impl Stream<Item = Result<HealthCheckResponse, Status>> {
        let watch = Watch {
            service: request.service,
            state: self.0.0.subscribe(),
            told: None,
        };
        Unfold::new(watch, |watch| Box::pin(next(watch)))
    }
}

fn response(is_serving: Option<bool>) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status(is_serving).into(),
        ..HealthCheckResponse::default()
    }
}

fn status(is_serving: Option<bool>) -> ServingStatus {
    match is_serving {
        None => ServingStatus::SERVICE_UNKNOWN,
        Some(true) => ServingStatus::SERVING,
        Some(false) => ServingStatus::NOT_SERVING,
    }
}

/// One who watches a service.
struct Watch {
    service: String,
    state: watch::Receiver<State>,
    /// What they were told last.
    told: Option<Option<bool>>,
}

type Told = (Watch, HealthCheckResponse);

/// Waits until there is something to tell.
///
/// # Errors
///
/// When a server that ends has told all that there was.
async fn next(mut watch: Watch) -> Result<Told, Status> {
    let max_name = watch.state.borrow().max_name;
    if watch.service.len() > max_name {
        let text = format!("a name to watch is over the limit `max_name` of {max_name} bytes");
        return Err(Status::invalid_argument(text));
    }
    loop {
        let ending = {
            let state = watch.state.borrow_and_update();
            let is_serving = state.is_serving(&watch.service);
            let ending = state.ending;
            drop(state);
            if watch.told != Some(is_serving) {
                watch.told = Some(is_serving);
                return Ok((watch, response(is_serving)));
            }
            ending
        };
        if ending || watch.state.changed().await.is_err() {
            return Err(Status::unavailable("the server is shutting down"));
        }
    }
}
