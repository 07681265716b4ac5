//! The HTTP API, and the import of a file through it.

use serde_json::{Value, json};
use server::client::Client;
use shared::{
    ids::{ClientId, EditId, RowId},
    limits::Limits,
    sheet,
};
use ureq::http::Response;
use uuid::Uuid;

use crate::support::{PATIENCE, TestServer, insert};

/// Makes a request. The server answers.
pub async fn call(
    method: &'static str,
    url: String,
    bearer: Option<String>,
    body: Option<Value>,
) -> (u16, Response<String>) {
    try_call(method, url, bearer, body).await.unwrap()
}

/// Makes a request on a separate thread, because the client blocks.
///
/// # Errors
/// No whole response arrives.
pub async fn try_call(
    method: &'static str,
    url: String,
    bearer: Option<String>,
    body: Option<Value>,
) -> Result<(u16, Response<String>), ureq::Error> {
    tokio::task::spawn_blocking(move || {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent: ureq::Agent = config.timeout_global(Some(PATIENCE)).build().into();
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if let Some(bearer) = bearer {
            request = request.header("authorization", bearer);
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let (parts, mut body) = agent.run(request.body(body).unwrap())?.into_parts();
        let text = body.read_to_string()?;
        Ok((parts.status.as_u16(), Response::from_parts(parts, text)))
    })
    .await
    .unwrap()
}

struct Api<'a>(&'a TestServer);

impl Api<'_> {
    async fn call(&self, method: &'static str, path: &str, body: Option<Value>) -> (u16, Value) {
        let (status, response) = self.raw(method, path, body).await;
        (status, serde_json::from_str(response.body()).unwrap_or(Value::Null))
    }

    async fn raw(&self, method: &'static str, path: &str, body: Option<Value>) -> (u16, Response<String>) {
        call(method, format!("{}{path}", self.0.base()), Some(self.0.bearer()), body).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_responds_as_specified() {
    let server = TestServer::start().await;
    let api = Api(&server);
    let (status, created) =
        api.call("POST", "/api/v1/watchlists", Some(json!({ "name": "Core book" }))).await;
    assert_eq!(status, 201);
    let path = format!("/api/v1/watchlists/{}", created["watchlist"].as_str().unwrap());
    let client = Uuid::new_v4();
    let (row, change) = insert("80", json!({ "symbol": "MMM", "price": "71.72", "previousClose": "71.70" }));
    let edit =
        |edit: u64, changes: Value| Some(json!({ "client": client, "edit": edit, "changes": changes }));
    let edits = format!("{path}/edits");
    assert_eq!(api.call("POST", &edits, edit(1, json!([change]))).await, (200, json!({ "revision": 1 })));
    assert_eq!(
        api.call("POST", &edits, edit(1, json!([change]))).await,
        (200, json!({ "revision": 1 })),
        "a repeated edit"
    );
    let set = |value: &str, was: &str| json!([{ "set": { "row": row, "column": "price", "value": value, "was": was } }]);
    let (status, problem) = api.call("POST", &edits, edit(2, set("72", "1"))).await;
    assert_eq!(
        (status, &problem["code"], &problem["change"], &problem["current"]),
        (409, &json!("conflict"), &json!(0), &json!("71.72"))
    );
    let (status, problem) = api.call("POST", &edits, edit(3, set("1.2.3", "71.72"))).await;
    assert_eq!((status, &problem["code"]), (422, &json!("invalidValue")));
    let (status, snapshot) = api.call("GET", &path, None).await;
    assert_eq!((status, &snapshot["revision"], &snapshot["name"]), (200, &json!(1), &json!("Core book")));
    let cells = &snapshot["rows"][0]["cells"];
    assert_eq!((&cells["change"], &cells["changePct"]), (&json!("0.02"), &json!("0.03")));
    let (status, csv) = api.raw("GET", &format!("{path}?format=csv"), None).await;
    assert_eq!((status, csv.headers()["content-type"].to_str().unwrap()), (200, "text/csv; charset=utf-8"));
    let tag = csv.headers()["etag"].to_str().unwrap();
    assert_eq!(tag, format!("\"{}-1\"", snapshot["epoch"].as_str().unwrap()));
    let (status, history) = api.call("GET", &format!("{path}/history?column=price&limit=5"), None).await;
    assert_eq!((status, &history["commits"][0]["revision"]), (200, &json!(1)));
    let (status, list) = api.call("GET", "/api/v1/watchlists", None).await;
    assert_eq!((status, &list["list"][0]["rows"]), (200, &json!(1)));
    assert_eq!(api.call("DELETE", &path, None).await.0, 204);
    assert_eq!(api.call("GET", &path, None).await.0, 404);
    let (_, listed) = api.call("GET", "/api/v1/watchlists?deleted=true", None).await;
    assert_eq!(
        (&listed["list"][0]["watchlist"], &listed["list"][0]["by"]),
        (&created["watchlist"], &json!("ann"))
    );
    assert!(listed["list"][0]["deletedAt"].is_string(), "{listed}");
    assert_eq!(api.call("POST", &edits, edit(4, set("72", "71.72"))).await.1["code"], "unknownWatchlist");
    assert_eq!(api.call("POST", &format!("{path}/restore"), None).await.0, 200);
    assert_eq!(api.call("GET", &path, None).await.0, 200);
    assert_eq!(api.call("GET", "/api/v1/watchlists?deleted=true", None).await.1, json!({ "list": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_problem_documents_with_codes() {
    let server = TestServer::start().await;
    let api = Api(&server);
    let (status, response) = api.raw("POST", "/api/v1/watchlists", Some(json!({ "title": 1 }))).await;
    assert_eq!(
        (status, response.headers()["content-type"].to_str().unwrap()),
        (400, "application/problem+json")
    );
    assert_eq!(
        api.call("POST", "/api/v1/watchlists", Some(json!({ "name": " " }))).await.1["code"],
        "invalidValue"
    );
    assert_eq!(api.call("GET", "/api/v1/watchlists/nonsense", None).await.1["code"], "unknownWatchlist");
    assert_eq!(api.call("GET", "/api/v1/watchlists/%ff", None).await.1["code"], "unknownWatchlist");
    assert_eq!(api.call("GET", "/api/v1/elsewhere", None).await.0, 404);
    let (status, response) = api.raw("PUT", "/api/v1/watchlists", None).await;
    assert_eq!(
        (status, response.headers()["content-type"].to_str().unwrap()),
        (405, "application/problem+json")
    );
    let (_, created) = api.call("POST", "/api/v1/watchlists", Some(json!({ "name": "Book" }))).await;
    let edits = format!("/api/v1/watchlists/{}/edits", created["watchlist"].as_str().unwrap());
    let unknown_change = json!({ "client": Uuid::nil(), "edit": 1, "changes": [{ "jump": {} }] });
    let (status, problem) = api.call("POST", &edits, Some(unknown_change)).await;
    assert_eq!((status, &problem["code"]), (422, &json!("badMessage")));
    assert_eq!(api.call("POST", &edits, Some(json!({ "changes": [] }))).await.0, 400);
    let base = server.base();
    assert_eq!(call("GET", format!("{base}/api/v1/watchlists"), None, None).await.0, 401);
    assert_eq!(call("GET", format!("{base}/readyz"), None, None).await.0, 401);
    let (status, health) = call("GET", format!("{base}/healthz"), None, None).await;
    let health: Value = serde_json::from_str(health.body()).unwrap();
    assert_eq!((status, &health["instance"]), (200, &json!(server.running.serving.instance)));
    assert_eq!(api.call("GET", "/readyz", None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_file_is_exported_unchanged() {
    let server = TestServer::start().await;
    let remote = Client::new(&server.base(), server.running.token());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/data/sp500-constituents.csv");
    let bytes = std::fs::read(file).unwrap();
    let written = tokio::task::spawn_blocking(move || {
        let table = sheet::csv::read(&bytes, &Limits::default()).unwrap();
        let id = remote.create("S&P 500", &table.columns).unwrap();
        for (changes, edit) in table.inserts(&Limits::default(), || RowId(Uuid::now_v7())).iter().zip(1..) {
            remote.edit(id, ClientId(Uuid::from_u128(1)), EditId(edit), changes).unwrap();
        }
        (remote.csv(id).unwrap(), bytes)
    });
    let (written, file) = written.await.unwrap();
    let read = |bytes: &[u8]| -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    };
    let (written, file) = (read(&written), read(&file));
    assert_eq!(file.len(), 504);
    let column = |title: &str| {
        let title = if title == "Security" { "Company" } else { title };
        written[0].iter().position(|written| written == title).unwrap()
    };
    let columns: Vec<usize> = file[0].iter().map(|title| column(title)).collect();
    for (row, original) in written.iter().zip(&file).skip(1) {
        let exported: Vec<&String> = columns.iter().map(|column| &row[*column]).collect();
        assert_eq!(exported, original.iter().collect::<Vec<_>>());
    }
}
