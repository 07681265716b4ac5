//! Liveness and readiness.

use axum::{Json, extract::State, http::StatusCode};
use shared::wire::api::Health;

use super::{context::HttpContext, problem::Problem};

pub(super) async fn health(State(context): State<HttpContext>) -> Json<Health> {
    let version = env!("CARGO_PKG_VERSION").into();
    Json(Health { status: "ok".into(), instance: context.instance, version })
}

pub(super) async fn ready(State(context): State<HttpContext>) -> Result<(StatusCode, Json<Health>), Problem> {
    match context.session.hub.ready().await {
        Ok(()) => Ok((StatusCode::OK, health(State(context)).await)),
        Err(error) => Err(Problem::unavailable(&error)),
    }
}
