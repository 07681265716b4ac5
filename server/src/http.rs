//! The HTTP interface: its routes, who may use them, and what each error looks like.

mod accounts;
mod api;
mod authentication;
mod body;
mod budget;
mod connection_limit;
mod context;
mod health;
mod oldest_first;
mod origin;
mod problem;
mod serve;
mod session;
mod upgrade;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, header},
    middleware,
    response::Response,
    routing::{MethodRouter, delete, get, patch, post, put},
};

use self::problem::Problem;
pub use self::{
    budget::Budgets,
    connection_limit::{ConnectionLimit, MAX_UNAUTHENTICATED},
    context::HttpContext,
    serve::{Listening, serve},
};

/// A call: its method, its path, and what answers it.
type Route = (&'static str, &'static str, MethodRouter<HttpContext>);

/// Returns the calls that need an account.
fn account_routes() -> Vec<Route> {
    vec![
        ("GET", "/api/v1/watchlists", get(api::list)),
        ("POST", "/api/v1/watchlists", post(api::create)),
        ("GET", "/api/v1/watchlists/{id}", get(api::read)),
        ("DELETE", "/api/v1/watchlists/{id}", delete(api::delete)),
        ("POST", "/api/v1/watchlists/{id}/restore", post(api::restore)),
        ("POST", "/api/v1/watchlists/{id}/edits", post(api::edit)),
        ("GET", "/api/v1/watchlists/{id}/history", get(api::history)),
        ("GET", "/api/v1/watchlists/{id}/access", get(accounts::access)),
        ("PUT", "/api/v1/watchlists/{id}/access", put(accounts::share)),
        ("GET", "/api/v1/people", get(accounts::people)),
        ("GET", "/api/v1/session", get(session::own)),
        ("DELETE", "/api/v1/session", delete(session::sign_out)),
        ("DELETE", "/api/v1/session/{id}", delete(session::end)),
        ("POST", "/api/v1/session/password", post(session::change_password)),
        ("GET", "/api/v1/accounts", get(accounts::list)),
        ("POST", "/api/v1/accounts", post(accounts::add)),
        ("PATCH", "/api/v1/accounts/{id}", patch(accounts::change)),
        ("GET", "/api/v1/tokens", get(accounts::tokens)),
        ("POST", "/api/v1/tokens", post(accounts::add_token)),
        ("DELETE", "/api/v1/tokens/{id}", delete(accounts::revoke_token)),
        ("GET", "/api/v1/audit", get(accounts::audit_log)),
        ("GET", "/readyz", get(health::ready)),
        ("GET", "/ws", get(upgrade::upgrade)),
    ]
}

/// Returns the calls that callers without an account may make.
fn open_routes() -> Vec<Route> {
    vec![("GET", "/healthz", get(health::health)), ("POST", "/api/v1/session", post(session::sign_in))]
}

/// Returns the method and the path of every call, as the tables of rights name them.
pub fn calls() -> Vec<(&'static str, &'static str)> {
    account_routes().into_iter().chain(open_routes()).map(|(method, path, _)| (method, path)).collect()
}

/// Returns everything that is served over HTTP.
pub fn router(context: HttpContext) -> Router {
    let limit = context.session.settings.limits.message_bytes;
    let router_of = |routes: Vec<Route>| {
        routes.into_iter().fold(Router::new(), |router, (_, path, handler)| router.route(path, handler))
    };
    let open = router_of(open_routes())
        .layer(middleware::from_fn_with_state(context.clone(), authentication::require_own_site));
    router_of(account_routes())
        .layer(DefaultBodyLimit::max(limit))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(middleware::from_fn_with_state(context.clone(), authentication::authenticate))
        .merge(open)
        .layer(middleware::map_response(add_security_headers))
        .with_state(context)
}

/// Keeps browsers from guessing types, from showing answers within other pages, and from storing what only
/// the caller may see.
async fn add_security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let caching = if headers.contains_key(header::ETAG) { "private, no-cache" } else { "no-store" };
    for (name, value) in [
        (header::CACHE_CONTROL, caching),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
