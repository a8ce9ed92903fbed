"""A stand-in for a model, on the loopback, for clients that do nothing without one: it makes the calls of a task, one a turn.

It speaks the streaming APIs of Anthropic, OpenAI (responses) and Google as far as their command line clients need. It notes which
tools the client offered and what it gave back for each call.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from scripts.clients.task import Call

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool as the client offers it to its model. `namespace` is empty where the API has none."""

    name: str
    namespace: str = ""


class Api(Protocol):
    """What one provider's API says and hears."""

    def tools(self, body: Body) -> list[Offered]:
        """Return the tools that a request offers."""
        ...

    def results(self, body: Body) -> list[str]:
        """Return the texts of all results of tools that a request gives back, in order."""
        ...

    def turn(self, number: int, tool: Offered | None, arguments: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        """Return the events of a turn that calls a tool, or ends with a word."""
        ...


@dataclass(slots=True)
class Heard:
    """What the client said to its model: its tools of this server, and what it gave back for each call."""

    tools: set[str] = field(default_factory=set)
    results: list[str] = field(default_factory=list)


@contextmanager
def serving(api: Api, calls: Sequence[Call], is_ours: str) -> Iterator[tuple[str, Heard]]:
    """Yield a stand-in until the end; gives its address and what it heard.

    Args:
        api: the provider that it plays.
        calls: what it calls, in this order.
        is_ours: what the client's names for the tools of this server contain.
    """
    heard, lock = Heard(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            ours = [tool for tool in api.tools(body) if is_ours in tool.namespace + tool.name]
            results = api.results(body)
            with lock:
                heard.tools.update(tool.name for tool in ours)
                if len(results) > len(heard.results):
                    heard.results[:] = results
            call = calls[len(results)] if ours and len(results) < len(calls) else None
            tool = next((tool for tool in ours if call and tool.name.endswith(call.tool)), None)
            self._answer(list(api.turn(len(results), tool, call.arguments if call else {})))

        def do_GET(self) -> None:
            self._send(b"{}", "application/json")

        def do_HEAD(self) -> None:
            self._send(b"", "application/json")

        def _answer(self, events: list[Mapping[str, Any]]) -> None:
            if len(events) == 1 and "stream" not in self.path:
                self._send(json.dumps(events[0]).encode(), "application/json")
                return
            self._send("".join(map(_event, events)).encode(), "text/event-stream")

        def _send(self, content: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _event(data: Mapping[str, Any]) -> str:
    name = f"event: {data['type']}\n" if "type" in data else ""
    return f"{name}data: {json.dumps(data)}\n\n"


class Anthropic:
    """The Messages API."""

    def tools(self, body: Body) -> list[Offered]:
        return [Offered(tool["name"]) for tool in body.get("tools", ())]

    def results(self, body: Body) -> list[str]:
        blocks = (
            block
            for message in body.get("messages", ())
            for block in message["content"]
            if isinstance(block, dict) and block["type"] == "tool_result"
        )
        return [json.dumps(block["content"], ensure_ascii=False) for block in blocks]

    def turn(self, number: int, tool: Offered | None, arguments: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "stand-in", "content": []}
        yield {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}}
        if tool is None:
            block: dict[str, Any] = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": "Done."}
        else:
            block = {"type": "tool_use", "id": f"toolu_{number}", "name": tool.name, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(dict(arguments))}
        yield {"type": "content_block_start", "index": 0, "content_block": block}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
        yield {"type": "content_block_stop", "index": 0}
        reason = {"stop_reason": "tool_use" if tool else "end_turn"}
        yield {"type": "message_delta", "delta": reason, "usage": usage}
        yield {"type": "message_stop"}


class OpenAi:
    """The Responses API."""

    def tools(self, body: Body) -> list[Offered]:
        found = []
        for tool in body.get("tools", ()):
            if tool["type"] == "namespace":
                found += [Offered(each["name"], tool["name"]) for each in tool["tools"]]
            elif tool["type"] == "function":
                found.append(Offered(tool["name"]))
        return found

    def results(self, body: Body) -> list[str]:
        items = (item for item in body.get("input", ()) if isinstance(item, dict))
        return [
            json.dumps(item["output"], ensure_ascii=False)
            for item in items
            if item.get("type") == "function_call_output"
        ]

    def turn(self, number: int, tool: Offered | None, arguments: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        response = {"id": f"resp_{number}", "object": "response", "model": "stand-in", "output": []}
        yield {"type": "response.created", "response": response}
        if tool is None:
            text = {"type": "output_text", "text": "Done.", "annotations": []}
            item: dict[str, Any] = {"type": "message", "id": f"msg_{number}", "role": "assistant", "content": [text]}
        else:
            made = {"name": tool.name, "arguments": json.dumps(dict(arguments)), "call_id": f"call_{number}"}
            item = {"type": "function_call", "id": f"fc_{number}", **made}
            item |= {"namespace": tool.namespace} if tool.namespace else {}
        yield {"type": "response.output_item.done", "output_index": 0, "item": item}
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        yield {"type": "response.completed", "response": {**response, "status": "completed", "usage": usage}}


class Google:
    """The API of Gemini."""

    def tools(self, body: Body) -> list[Offered]:
        lists = (tool.get("functionDeclarations", ()) for tool in body.get("tools", ()))
        return [Offered(each["name"]) for declared in lists for each in declared]

    def results(self, body: Body) -> list[str]:
        parts = (part for content in body.get("contents", ()) for part in content.get("parts", ()))
        return [
            json.dumps(part["functionResponse"]["response"], ensure_ascii=False)
            for part in parts
            if "functionResponse" in part
        ]

    def turn(self, number: int, tool: Offered | None, arguments: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        part: Any = (
            {"text": "Done."} if tool is None else {"functionCall": {"name": tool.name, "args": dict(arguments)}}
        )
        usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        yield {"candidates": [candidate], "usageMetadata": usage}
