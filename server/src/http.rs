//! The HTTP interface: its routes, who may use them, and what each error looks like.

mod api;
mod authentication;
mod body;
mod budget;
mod connection_limit;
mod context;
mod health;
mod oldest_first;
mod problem;
mod serve;
mod upgrade;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};

use self::problem::Problem;
pub use self::{
    budget::Budgets,
    connection_limit::{ConnectionLimit, MAX_UNAUTHENTICATED},
    context::HttpContext,
    serve::serve,
};

/// Returns everything that is served over HTTP.
pub fn router(context: HttpContext) -> Router {
    let limit = context.session.settings.limits.message_bytes;
    let api = Router::new()
        .route("/watchlists", get(api::list).post(api::create))
        .route("/watchlists/{id}", get(api::read).delete(api::delete))
        .route("/watchlists/{id}/restore", post(api::restore))
        .route("/watchlists/{id}/edits", post(api::edit))
        .route("/watchlists/{id}/history", get(api::history));
    let health = Router::new()
        .route("/healthz", get(health::health))
        .layer(middleware::from_fn_with_state(context.clone(), authentication::require_own_site));
    Router::new()
        .nest("/api/v1", api)
        .route("/readyz", get(health::ready))
        .route("/ws", get(upgrade::upgrade))
        .layer(DefaultBodyLimit::max(limit))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(middleware::from_fn_with_state(context.clone(), authentication::authenticate))
        .merge(health)
        .with_state(context)
}
