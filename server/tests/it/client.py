import asyncio, inspect, json, sys, uuid
import websockets

async def main(base, token):
    named = "additional_headers" if "additional_headers" in inspect.signature(websockets.connect).parameters else "extra_headers"
    options = {named: {"Authorization": "Bearer " + token}, "subprotocols": ["afterglow.v1.json"]}
    client, lst, row = (str(uuid.uuid4()) for _ in range(3))
    async def session(work):
        async with websockets.connect(base + "/ws", **options) as ws:
            async def ask(expected, **message):
                await ws.send(json.dumps(message))
                while (answer := json.loads(await ws.recv()))["type"] not in expected: pass
                return answer
            await ask(["watchlists"], type="hello", client=client)
            return await work(ask)
    async def first(ask):
        await ask(["created"], type="create", request=1, watchlist=lst, name="From Python")
        at = await ask(["snapshot"], type="open", watchlist=lst)
        insert = {"insert": {"row": row, "position": "80", "cells": {"symbol": "MMM", "price": "71.72"}}}
        assert (await ask(["accepted", "rejected"], type="edit", watchlist=lst, edit=1, changes=[insert]))["revision"] == 1
        wrong = {"set": {"row": row, "column": "price", "value": "71.80", "was": "1"}}
        answer = await ask(["accepted", "rejected"], type="edit", watchlist=lst, edit=2, changes=[wrong])
        assert (answer["code"], answer["current"]) == ("conflict", "71.72"), answer
        right = {"set": {"row": row, "column": "price", "value": "71.80", "was": "71.72"}}
        assert (await ask(["accepted", "rejected"], type="edit", watchlist=lst, edit=3, changes=[right]))["revision"] == 2
        return {"epoch": at["epoch"], "revision": 1}
    at = await session(first)
    resumed = await session(lambda ask: ask(["changes", "snapshot"], type="open", watchlist=lst, at=at))
    assert (resumed["type"], resumed["from"], resumed["to"]) == ("changes", 1, 2), resumed
    assert resumed["commits"][0]["changes"][0]["set"]["value"] == "71.80", resumed
    print("resumed at", resumed["to"])

asyncio.run(main(sys.argv[1], sys.argv[2]))
