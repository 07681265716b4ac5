# Measures what a window of the desktop costs the processor where nothing limits its frames; sourced by verify.

# Prints the processor time that a process and its threads have used, in milliseconds.
cpu_time() {
  local ticks
  ticks=$(sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }')
  echo $((ticks * 1000 / $(getconf CLK_TCK)))
}

# Prints how much of a processor a process uses in some seconds, in thousandths.
usage_of() {
  local before
  before=$(cpu_time "$1")
  sleep "$2"
  echo $((($(cpu_time "$1") - before) / $2))
}

# Changes prices of a watchlist, a number of them a second, until it is killed. Keeps their number in a file.
change_prices() {
  exec python3 - "$1" "$2" "$3" "$4" "$5" <<'PYTHON'
import http.client, itertools, json, random, sys, time, uuid
address, token, watchlist, rate = sys.argv[1], open(sys.argv[2]).read().strip(), sys.argv[3], float(sys.argv[4])
connection = http.client.HTTPConnection(address)
headers = {"authorization": "Bearer " + token, "content-type": "application/json"}
def call(method, path, body=None):
    connection.request(method, f"/api/v1/watchlists/{watchlist}{path}", json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    return json.load(answer)
rows = [row["row"] for row in call("GET", "")["rows"]]
client, at_once = str(uuid.uuid4()), max(1, round(rate / 50))
started = time.monotonic()
for edit in itertools.count(1):
    price = lambda row: {"set": {"row": row, "column": "price", "value": str(random.randint(1000, 99999) / 100)}}
    call("POST", "/edits", {"client": client, "edit": edit, "changes": [price(row) for row in random.sample(rows, at_once)]})
    with open(sys.argv[5], "w") as file:
        file.write(str(edit * at_once))
    time.sleep(max(0, started + edit * at_once / rate - time.monotonic()))
PYTHON
}

check_cpu() {
  local folder=$work/cpu server desktop feed address list id rate used
  start_display
  "$bin/afterglow-server" serve --listen 127.0.0.1:0 --data-dir "$folder" >"$work/cpu.out" 2>/dev/null &
  server=$!
  started+=("$server")
  for _ in $(seq 100); do grep -q listening "$work/cpu.out" && break; sleep 0.1; done
  address=$(sed -n 's|^listening on http://||p' "$work/cpu.out")
  list=$("$bin/afterglow-server" import "$root/assets/data/companies.csv" --name Companies --data-dir "$folder")
  "$bin/afterglow" --connect "http://$address" --token-file "$folder/local.token" --data-dir "$folder-desktop" >"$work/desktop.out" 2>&1 &
  desktop=$!
  started+=("$desktop")
  id=$(window Companies cpu)
  xdotool windowsize --sync "$id" 1240 760
  xdotool mousemove 1590 890
  # The glow of the import fades, and the blinking of the caret ends.
  sleep 5
  used=$(usage_of "$desktop" 10)
  say "cpu: $used thousandths of a processor while nothing changes"
  [ "$used" -le 10 ] || fail "a window that shows nothing new uses $used thousandths of a processor"
  for rate in 2 20 200; do
    change_prices "$address" "$folder/local.token" "$list" "$rate" "$work/feed.count" 2>"$work/feed.out" &
    feed=$!
    started+=("$feed")
    sleep 2
    used=$(usage_of "$desktop" 8)
    [ "$(cat "$work/feed.count")" -ge $((rate * 9)) ] || fail "only $(cat "$work/feed.count") changes in 10 s"
    # Other work on this machine makes frames dearer, which the next ones adapt to.
    [ "$used" -lt 500 ] || used=$(usage_of "$desktop" 8)
    kill "$feed" 2>/dev/null || fail "the feed ended: $(cat "$work/feed.out")"
    say "cpu: $used thousandths of a processor at $rate changes a second"
    [ "$used" -lt 500 ] || fail "a window uses $used thousandths of a processor at $rate changes a second"
  done
  close "$id" "$desktop"
  kill "$server"
}
