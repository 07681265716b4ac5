//! The router: who may ask, what is asked, and what each error looks like.

mod api;
mod problem;
mod upgrade;

use std::sync::{Arc, atomic::AtomicU64};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::problem::Problem;
use crate::{
    auth::{Auth, Refusal, check_origin},
    session::SessionContext,
};

/// What every request is served with.
#[derive(Clone)]
pub struct HttpContext {
    /// The watchlists, limits and the clock.
    pub session: SessionContext,
    /// Who may ask.
    pub auth: Arc<Auth>,
    /// This run of this process.
    pub instance: Uuid,
    /// Owns the sessions' tasks.
    pub tasks: TaskTracker,
    /// Numbers the connections.
    pub connections: Arc<AtomicU64>,
    /// The connections that may still be taken.
    pub places: Arc<Semaphore>,
}

/// What `/healthz` answers.
#[derive(Serialize)]
struct Health {
    status: &'static str,
    instance: Uuid,
    version: &'static str,
}

/// Everything that is served over HTTP.
pub fn router(context: HttpContext) -> Router {
    let limit = context.session.settings.limits.message_bytes;
    let api = Router::new()
        .route("/watchlists", get(api::list).post(api::create))
        .route("/watchlists/{id}", get(api::read).delete(api::delete))
        .route("/watchlists/{id}/restore", post(api::restore))
        .route("/watchlists/{id}/edits", post(api::edit))
        .route("/watchlists/{id}/history", get(api::history));
    Router::new()
        .nest("/api/v1", api)
        .route("/readyz", get(ready))
        .route("/ws", get(upgrade::upgrade))
        .layer(DefaultBodyLimit::max(limit))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(middleware::from_fn_with_state(context.clone(), check))
        .merge(Router::new().route("/healthz", get(health)).layer(middleware::from_fn(own_pages_only)))
        .with_state(context)
}

async fn check(State(context): State<HttpContext>, mut request: Request, next: Next) -> Response {
    match context.auth.check(request.headers()) {
        Ok(user) => {
            request.extensions_mut().insert(user);
            next.run(request).await
        }
        Err(Refusal::Unauthorized) => Problem::unauthorized().into_response(),
        Err(Refusal::ForeignOrigin) => Problem::foreign_origin().into_response(),
    }
}

async fn own_pages_only(request: Request, next: Next) -> Response {
    match check_origin(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(_foreign) => Problem::foreign_origin().into_response(),
    }
}

async fn health(State(context): State<HttpContext>) -> Json<Health> {
    Json(Health { status: "ok", instance: context.instance, version: env!("CARGO_PKG_VERSION") })
}

async fn ready(State(context): State<HttpContext>) -> Result<(StatusCode, Json<Health>), Problem> {
    match context.session.hub.journal().ready().await {
        Ok(()) => Ok((StatusCode::OK, health(State(context)).await)),
        Err(error) => Err(Problem::unavailable(&error)),
    }
}
