//! Liveness and readiness.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::Deserialize;
use shared::wire::api::Health;

use super::{context::HttpContext, problem::Problem};
use crate::accounts::{NONCE_BYTES, prove};

#[derive(Deserialize)]
pub(super) struct HealthQuery {
    /// A random value in hexadecimal, for which the server proves that it knows the local token.
    nonce: Option<String>,
}

pub(super) async fn health(
    State(context): State<HttpContext>,
    query: Result<Query<HealthQuery>, QueryRejection>,
) -> Result<Json<Health>, Problem> {
    let Query(HealthQuery { nonce }) = query.map_err(|error| Problem::bad_message(error.body_text()))?;
    let proof = nonce.map(|nonce| proof_of(&context, &nonce)).transpose()?;
    Ok(Json(status(&context, proof)))
}

pub(super) async fn ready(State(context): State<HttpContext>) -> Result<(StatusCode, Json<Health>), Problem> {
    match context.session.hub.ready().await {
        Ok(()) => Ok((StatusCode::OK, Json(status(&context, None)))),
        Err(error) => Err(Problem::unavailable(&error)),
    }
}

fn status(context: &HttpContext, proof: Option<String>) -> Health {
    let version = env!("CARGO_PKG_VERSION").into();
    Health { status: "ok".into(), instance: context.instance, version, proof }
}

fn proof_of(context: &HttpContext, nonce: &str) -> Result<String, Problem> {
    let bytes = hex::decode(nonce).ok().filter(|bytes| NONCE_BYTES.contains(&bytes.len()));
    let invalid = || {
        let (least, most) = (NONCE_BYTES.start(), NONCE_BYTES.end());
        Problem::bad_message(format!("invalid nonce; use {least} to {most} bytes in hexadecimal"))
    };
    Ok(hex::encode(prove(context.session.hub.accounts().local().token(), &bytes.ok_or_else(invalid)?)))
}
