//! Signing in: what it answers, what it refuses, and what it costs those who guess.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::settings::Settings;

use super::people::{Desk, PASSWORD, Proof, cookie};
use crate::program::{Served, program};

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_answers_as_specified_and_its_cookie_opens_everything_else() {
    let desk = Desk::start().await;
    let id = desk.add("ann", false).await;
    let (status, response) =
        desk.try_sign_in("ann", PASSWORD, &Proof::Nothing, &[("user-agent", "test/1")]).await;
    assert_eq!(status, 200);
    let answer = parsed(response.body());
    assert_eq!(answer["user"], json!({ "id": id, "name": "ann", "role": "user" }));
    let attributes = response.headers()["set-cookie"].to_str().unwrap().split_once(';').unwrap().1.to_owned();
    assert_eq!(attributes, " HttpOnly; SameSite=Strict; Path=/");
    let session = cookie(&response);
    let (status, own) = desk.call(&session, "GET", "/api/v1/session", None).await;
    assert_eq!((status, &own["user"]["name"]), (200, &json!("ann")));
    let listed = &own["sessions"][0];
    assert_eq!(
        (&listed["app"], &listed["address"], &listed["current"]),
        (&json!("test/1"), &json!("127.0.0.1"), &json!(true))
    );
    assert!(own.to_string().find(&session.header().unwrap().1[18..]).is_none(), "no secret is shown");
    let mut socket = desk.socket(&session).await.unwrap();
    socket.create("Hers").await;
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_wrong_passwords_and_disabled_accounts_get_the_same_answer() {
    let desk = Desk::start().await;
    desk.add("ann", false).await;
    let disabled = desk.add("eve", false).await;
    desk.change(&disabled, json!({ "disabled": true })).await;
    let mut answers = Vec::new();
    for (name, password) in
        [("ann", "wrong lamp forty"), ("nobody", PASSWORD), ("eve", PASSWORD), ("", ""), ("ann", "x")]
    {
        let (status, response) = desk.try_sign_in(name, password, &Proof::Nothing, &[]).await;
        assert_eq!((status, &parsed(response.body())["code"]), (401, &json!("badCredentials")), "{name}");
        answers.push(response.into_body());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

/// A field that is spelt otherwise must not leave more rights than are meant.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_fields_of_accounts_and_tokens_are_refused() {
    let desk = Desk::start().await;
    let ann = desk.add("ann", true).await;
    let path = format!("/api/v1/accounts/{ann}");
    for (method, path, body) in [
        ("PATCH", &*path, json!({ "role": "user" })),
        ("PATCH", &path, json!({ "isDisabled": true })),
        ("POST", "/api/v1/accounts", json!({ "name": "bob", "password": PASSWORD, "role": "user" })),
        ("POST", "/api/v1/tokens", json!({ "name": "feed", "column": ["price"] })),
        ("POST", "/api/v1/tokens", json!({ "name": "feed", "ticks_only": true })),
        ("POST", "/api/v1/tokens", json!({ "name": "feed", "watchlists": [] })),
    ] {
        let (status, answer) = desk.call(&desk.local(), method, path, body.clone()).await;
        assert_eq!((status, &answer["code"]), (400, &json!("badMessage")), "{body}");
    }
    let past = json!({ "name": "feed", "ticksOnly": true, "expires": "2000-01-01T00:00:00.000Z" });
    assert_eq!(desk.call(&desk.local(), "POST", "/api/v1/tokens", past).await.0, 422);
    let narrow = json!({ "name": "feed", "ticksOnly": true, "columns": ["price"] });
    assert_eq!(desk.call(&desk.local(), "POST", "/api/v1/tokens", narrow).await.0, 201);
    let tokens = desk.call(&desk.local(), "GET", "/api/v1/tokens", None).await.1;
    assert_eq!(tokens["list"][0]["columns"], json!(["price"]), "{tokens}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_sign_in_are_refused_without_quoting_them() {
    let desk = Desk::start().await;
    for body in
        [json!({ "name": "ann" }), json!({ "name": "ann", "password": 7 }), json!("s3cret-text"), json!(null)]
    {
        let (status, response) =
            desk.raw(&Proof::Nothing, ("POST", "/api/v1/session"), Some(body), &[]).await;
        assert_eq!((status, &parsed(response.body())["code"]), (400, &json!("badMessage")));
        assert!(!response.body().contains("s3cret"));
    }
    let large = json!({ "name": "ann", "password": "x".repeat(40 << 10) });
    let (status, _) = desk.raw(&Proof::Nothing, ("POST", "/api/v1/session"), Some(large), &[]).await;
    assert_eq!(status, 413);
    let foreign = [("origin", "https://evil.example")];
    let (status, _) = desk.try_sign_in("ann", PASSWORD, &Proof::Nothing, &foreign).await;
    assert_eq!(status, 403, "a page of another site cannot sign a person in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_prepared_by_somebody_else_is_not_signed_in() {
    let desk = Desk::start().await;
    desk.add("ann", false).await;
    let before = desk.sign_in("ann").await;
    let (_, response) = desk.try_sign_in("ann", PASSWORD, &before, &[]).await;
    let after = cookie(&response);
    assert_ne!(before, after);
    assert_eq!(
        desk.call(&before, "GET", "/api/v1/session", None).await.0,
        401,
        "the one presented has ended"
    );
    assert_eq!(desk.call(&after, "GET", "/api/v1/session", None).await.0, 200);
    let made_up = Proof::Cookie("0".repeat(64));
    let (_, response) = desk.try_sign_in("ann", PASSWORD, &made_up, &[]).await;
    assert_ne!(cookie(&response), made_up);
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_and_changed_secrets_prove_nothing() {
    let desk = Desk::start().await;
    let (_, session) = desk.person("ann").await;
    let body = json!({ "name": "feed" });
    let (_, token) = desk.call(&desk.local(), "POST", "/api/v1/tokens", body).await;
    let token = token["token"].as_str().unwrap().to_owned();
    let Proof::Cookie(secret) = &session else { unreachable!() };
    let mut forged =
        vec![Proof::Cookie(String::new()), Proof::Bearer(secret.clone()), Proof::Cookie(token.clone())];
    for index in [0, 3, secret.len() - 1] {
        let changed = |text: &str| {
            let other = if &text[index..=index] == "a" { "b" } else { "a" };
            format!("{}{other}{}", &text[..index], &text[index + 1..])
        };
        forged.extend([Proof::Cookie(changed(secret)), Proof::Bearer(changed(&token))]);
    }
    for proof in forged {
        assert_eq!(desk.call(&proof, "GET", "/api/v1/watchlists", None).await.0, 401, "{proof:?}");
        assert_eq!(desk.socket(&proof).await.err(), Some(401), "{proof:?}");
    }
    assert_eq!(desk.call(&Proof::Bearer(token), "GET", "/api/v1/watchlists", None).await.0, 200);
}

/// The one who guesses waits longer and longer. The account itself, from elsewhere, and others do not.
#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_for_the_address_that_guesses() {
    let proxy = "127.0.0.1".parse().unwrap();
    let desk = Desk::with(Settings { trusted_proxies: vec![proxy], ..Settings::default() }).await;
    // The data folder's own user cannot come through a proxy.
    let token = desk.server.running.token().to_owned();
    assert_eq!(desk.call(&Proof::Bearer(token), "GET", "/api/v1/watchlists", None).await.0, 401);
    // It connects to a listener of its own.
    let own = format!("{}/api/v1/watchlists", desk.server.base());
    assert_eq!(crate::http_calls::call("GET", own, Some(desk.server.bearer()), None).await.0, 200);
    let accounts = desk.server.running.accounts();
    let local = accounts.local_caller();
    for name in ["ann", "bob"] {
        accounts.add(&local, (name, PASSWORD), false, proxy).await.unwrap();
    }
    let from = |address: &'static str| [("x-forwarded-for", address)];
    let started = Instant::now();
    let mut refused = 0;
    let mut waits = Vec::new();
    for _ in 0..1_000 {
        let (status, response) =
            desk.try_sign_in("ann", "wrong lamp", &Proof::Nothing, &from("10.0.0.66")).await;
        match status {
            401 => refused += 1,
            429 => waits.push(response.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap()),
            other => panic!("{other}"),
        }
    }
    assert!(refused < 20 && waits.len() > 980, "{refused} guesses in {:?}", started.elapsed());
    assert!(waits.iter().all(|wait| *wait >= 1));
    let (status, _) = desk.try_sign_in("ann", PASSWORD, &Proof::Nothing, &from("10.0.0.66")).await;
    assert_eq!(status, 429, "the right password from there waits, too");
    for (name, address) in [("ann", "10.0.0.7"), ("bob", "10.0.0.66"), ("bob", "10.0.0.7")] {
        let (status, _) = desk.try_sign_in(name, PASSWORD, &Proof::Nothing, &from(address)).await;
        assert_eq!(status, 200, "{name} from {address}");
    }
}

/// The time of a refusal does not tell whether there is such an account. AFTERGLOW_TIMING_TRIES sets another number of
/// tries.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_name_takes_as_long_as_a_wrong_password() {
    let tries = std::env::var("AFTERGLOW_TIMING_TRIES").map_or(60, |tries| tries.parse().unwrap());
    let proxy = "127.0.0.1".parse().unwrap();
    let desk = Desk::with(Settings { trusted_proxies: vec![proxy], ..Settings::default() }).await;
    let accounts = desk.server.running.accounts();
    accounts.add(&accounts.local_caller(), ("ann", PASSWORD), false, proxy).await.unwrap();
    let mut times = [Vec::new(), Vec::new()];
    for index in 0..tries {
        for (which, name) in ["ann", "nobody"].into_iter().enumerate() {
            // Each try comes from another address, so that none is slowed.
            let address = format!("10.{}.{}.{which}", 1 + index / 200, index % 200);
            let started = Instant::now();
            let (status, _) = desk
                .try_sign_in(name, "wrong lamp forty", &Proof::Nothing, &[("x-forwarded-for", &address)])
                .await;
            assert_eq!(status, 401);
            times[which].push(started.elapsed());
        }
    }
    times.iter_mut().for_each(|times| times.sort());
    let quartile = |which: usize, number: usize| times[which][tries * number / 4];
    let described = ["a known name", "an unknown name"].into_iter().enumerate().map(|(which, name)| {
        let [first, median, third] = [1, 2, 3].map(|number| quartile(which, number));
        format!("{name}: median {median:?}, half of the tries between {first:?} and {third:?}")
    });
    let described: Vec<String> = described.collect();
    eprintln!("{tries} tries each. {}", described.join("; "));
    let difference = quartile(0, 2).abs_diff(quartile(1, 2));
    let noise = quartile(0, 3) - quartile(0, 1);
    assert!(difference < noise + Duration::from_millis(1), "{described:?}");
}

/// However many sign in at once, a few passwords are hashed at a time, each in memory that is used again, and
/// the others wait or are told to come back.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_herd_of_sign_ins_takes_a_bounded_amount_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = program();
    program.env("AFTERGLOW_TRUSTED_PROXIES", "127.0.0.1").stderr(std::process::Stdio::null());
    let served = Served::spawn(program, folder.path());
    let status = format!("/proc/{}/status", served.child.id());
    let resident = || {
        let status = std::fs::read_to_string(&status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().split(' ').next().unwrap().parse::<u64>().unwrap() / 1_024
    };
    let before = resident();
    let mut after = Vec::new();
    for round in 0..4 {
        let mut tries = tokio::task::JoinSet::new();
        for number in 0..250 {
            let url = format!("http://{}/api/v1/session", served.address);
            tries.spawn_blocking(move || {
                let config = ureq::Agent::config_builder().http_status_as_error(false);
                let agent: ureq::Agent = config.timeout_global(Some(crate::support::PATIENCE)).build().into();
                let from = format!("10.2.{round}.{number}");
                let body = json!({ "name": "nobody", "password": "wrong lamp forty" }).to_string();
                agent.post(url).header("x-forwarded-for", from).send(body).unwrap().status().as_u16()
            });
        }
        let answers = tries.join_all().await;
        assert!(answers.iter().all(|status| matches!(status, 401 | 429)), "{answers:?}");
        after.push(resident());
    }
    assert!(after[0] < before + 80, "{before} MiB before, {after:?} MiB after");
    assert!(after[3] < after[0] + 16, "1,000 wrong passwords take no more than 250: {after:?} MiB");
}
