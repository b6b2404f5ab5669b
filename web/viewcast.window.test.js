// node --test web/viewcast.window.test.js
// What `filter` and `select` ask the gateway for, in the grammar of docs/PROTOCOL.md (W1, W3, W4); the gateway's
// side of it is tests/it and src/http/query.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { ViewStream, parameterOf } from "./viewcast.js";
import { FakeEventSource, latest } from "../tests/browser/fake-eventsource.mjs";

beforeEach(() => {
  FakeEventSource.opened = [];
  mock.timers.enable({ apis: ["setTimeout"] });
});
afterEach(() => mock.timers.reset());

const open = (url, options) => new ViewStream(url, { EventSource: FakeEventSource, ...options });
/** The query of the address that is opened, as the gateway reads it. */
const asked = (options, url = "http://gateway/v/stream") => {
  open(url, options).close();
  return [...new URLSearchParams(latest().url.split("?")[1])].map((pair) => pair.join("="));
};

test("conditions_are_said_in_the_grammar_of_the_query", () => {
  const quoted = "it's \\ \"said\", (so)";
  for (const [value, text] of [
    [42, "eq.42"],
    [-1.5e300, "eq.-1.5e+300"],
    [-0, "eq.0"],
    [NaN, "eq.NaN"],
    [18446744073709551615n, "eq.18446744073709551615"],
    ["", "eq."],
    ["null", "eq.null"],
    ["true", "eq.true"],
    ["a b+c&d=e%25#f", "eq.a b+c&d=e%25#f"],
    ["☃ 😀\0\n", "eq.☃ 😀\0\n"],
    ["not.eq.1", "eq.not.eq.1"],
    ["in.(a,b)", "eq.in.(a,b)"],
    [null, "is.null"],
    [true, "is.true"],
    [false, "is.false"],
    [[], "in.()"],
    [["open"], "in.(open)"],
    [["open", "paid", 3, 4n, true], "in.(open,paid,3,4,true)"],
    [["", " a", "a,b", "x)", '"', "\\"], 'in.(""," a","a,b","x)","\\"","\\\\")'],
    [[quoted], `in.("it's \\\\ \\"said\\", (so)")`],
    [["null"], "in.(null)"],
    [{ not: 1 }, "not.eq.1"],
    [{ not: ["a", "b"] }, "not.in.(a,b)"],
    [{ not: null }, "not.is.null"],
    [{ not: true }, "not.is.true"],
  ]) {
    assert.deepEqual(asked({ filter: { c: value } }), [`c=${text}`]);
  }
  assert.deepEqual(asked({ filter: { customer_id: 42, status: ["open", "paid"], deleted_at: null, paid: true }, select: ["id", "total"] }), [
    "customer_id=eq.42", "deleted_at=is.null", "paid=is.true", "select=id,total", "status=in.(open,paid)",
  ]);
  assert.deepEqual(asked({ select: ["a,b", 'say "x"', "*", "c"] }), ['select="a,b","say \\"x\\"","*",c']);
  assert.deepEqual(asked({}), []);
  assert.deepEqual(asked({ filter: {} }), []);
  assert.deepEqual(asked({ filter: undefined, select: undefined }), []);
});

test("columns_named_like_our_own_parameters_are_told_apart", () => {
  for (const name of ["view", "select", "access_token", "last-event-id", "last_event_id", "lastEventId", "column.x", "a.b"]) {
    assert.equal(parameterOf(name), `column.${name}`);
    assert.deepEqual(asked({ filter: { [name]: 1 } }), [`column.${name}=eq.1`]);
  }
  for (const name of ["c", "views", "selected", "Größe & Co=1", "limit", "column"]) {
    assert.equal(parameterOf(name), name);
    assert.deepEqual(asked({ filter: { [name]: 1 } }), [`${name}=eq.1`]);
  }
});

test("what_cannot_be_said_throws_at_once", () => {
  const bad = [undefined, {}, { not: { not: 1 } }, { not: undefined }, { not: 1, or: 2 }, { eq: 1 }, new Date(0), [null], [undefined], [[1]], [{ not: 1 }], () => 1, Symbol("s"), new Map(), /x/, "\ud800", ["\udc00x"], { not: "\udfff" }];
  for (const value of bad) assert.throws(() => open("http://gateway/v/stream", { filter: { status: value } }), TypeError, String(value));
  assert.throws(() => open("http://gateway/v/stream", { filter: { status: undefined } }), /option filter: "status" is no value/);
  for (const filter of [null, "a", 1, [], new Map([["a", 1]]), new URLSearchParams("a=eq.1")]) {
    assert.throws(() => open("http://gateway/v/stream", { filter }), { name: "TypeError", message: "option filter is no object" });
  }
  for (const select of [null, "id", [], ["id", undefined], ["id", null], { 0: "id" }]) {
    assert.throws(() => open("http://gateway/v/stream", { select }), { name: "TypeError", message: "option select is no list of columns" });
  }
  assert.throws(() => open("http://gateway/v/stream", { filter: { "\ud800": 1 } }), URIError);
  assert.equal(FakeEventSource.opened.length, 0, "nothing was asked for");
});

test("filters_of_several_views_stand_before_their_columns", () => {
  const url = "http://gateway/stream?view=s.orders&view=it%27s%20%26&view=c";
  const views = { "s.orders": { filter: { id: [1, 2], select: 1 }, select: ["id"], key: "id" }, "it's &": { filter: { "a.b": null } }, c: { key: "n" } };
  assert.deepEqual(asked({ views }, url), [
    "view=s.orders", "view=it's &", "view=c", "it's &.column.a.b=is.null", "s.orders.column.select=eq.1", "s.orders.id=in.(1,2)", "s.orders.select=id",
  ]);
  assert.throws(() => open(url, { filter: { id: 1 } }), /option filter: the address has no view ""; several/);
  assert.throws(() => open(url, { select: ["id"] }), TypeError);
  assert.throws(() => open(url, { views: { orders: { filter: { id: 1 } } } }), /option filter: the address has no view "orders"/);
  assert.throws(() => open("http://gateway/orders/stream", { views: { orders: { select: ["id"] } } }), /option filter: the address has no view "orders"/);
  assert.doesNotThrow(() => open("http://gateway/orders/stream", { views: { orders: { key: "id" } } }).close());
});

test("window_stays_on_every_connection_and_goes_before_the_position", () => {
  const view = open("http://gateway/v/stream?x=1#part", { filter: { a: "b" }, staleAfterMs: 1000 });
  assert.equal(latest().url, "http://gateway/v/stream?x=1&a=eq.b");
  latest().open();
  latest().send("base", "1-a", [{ a: "b" }]);
  mock.timers.tick(1000);
  assert.equal(latest().url, "http://gateway/v/stream?x=1&a=eq.b&last-event-id=1-a");
  view.close();
});

test("window_stays_where_a_token_makes_it_fetch", async (t) => {
  const { mock: asking } = t.mock.method(globalThis, "fetch", async () => new Response("", { status: 503 }));
  const view = new ViewStream("http://x/v/stream", { token: "t", filter: { a: "b" } });
  await new Promise(setImmediate);
  view.close();
  assert.equal(asking.calls[0].arguments[0], "http://x/v/stream?a=eq.b");
});
