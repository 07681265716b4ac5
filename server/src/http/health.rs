//! Liveness and readiness.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use uuid::Uuid;

use super::{context::HttpContext, problem::Problem};

/// The answer of both calls.
#[derive(Serialize)]
pub(super) struct Health {
    status: &'static str,
    instance: Uuid,
    version: &'static str,
}

pub(super) async fn health(State(context): State<HttpContext>) -> Json<Health> {
    Json(Health { status: "ok", instance: context.instance, version: env!("CARGO_PKG_VERSION") })
}

pub(super) async fn ready(State(context): State<HttpContext>) -> Result<(StatusCode, Json<Health>), Problem> {
    match context.session.hub.ready().await {
        Ok(()) => Ok((StatusCode::OK, health(State(context)).await)),
        Err(error) => Err(Problem::unavailable(&error)),
    }
}
