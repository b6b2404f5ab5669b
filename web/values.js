// Values as the reader's locale writes them.

const NUMBER = new Intl.NumberFormat();
const DECIMAL = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const COMPACT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const BYTES = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"].map(
  (unit) => new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1, signDisplay: "exceptZero" }),
);
const NUMERIC = /^(smallint|integer|int[248]?|bigint|uint[248]|numeric|decimal|real|double|float)/;
const DAY_MS = 86_400_000;
/** The last instant that a Date can hold, in ms; a constant view's timestamp lies far above. */
const DATE_MAX = 8_640_000_000_000_000n;

/** Whether a column's values are in the order of numbers. */
export const isOrdered = ({ type }) => NUMERIC.test(type);

/** Whether a column of this SQL type holds numbers to count with; ids and clocks are not among them. */
export const isNumeric = ({ name, type }) => NUMERIC.test(type) && !/(^|_)(o?id|time)$/.test(name);

/** The SQL type that a value could be of, for a view whose columns are not known. */
export const typeOf = (value) => (typeof value === "number" ? "numeric" : "text");

/** A number to draw with: the wire sends what JavaScript cannot hold exactly as text. */
export function toNumber(value) {
  const number = Number(value ?? 0);
  return Number.isFinite(number) ? number : 0;
}

/** A number, exact to its last digit. */
export function number(value) {
  if (typeof value === "string") return /^-?\d+$/.test(value) ? NUMBER.format(BigInt(value)) : value;
  return typeof value === "number" ? NUMBER.format(value) : String(value ?? "–");
}

export const compact = (value) => COMPACT.format(toNumber(value));
export const decimal = (value) => DECIMAL.format(value);
export const milliseconds = (ms) => (ms < 1000 ? `${NUMBER.format(Math.round(ms))} ms` : `${DECIMAL.format(ms / 1000)} s`);
export const minute = (ms) => MINUTE.format(ms);

export function bytes(value) {
  let size = toNumber(value);
  let unit = 0;
  while (Math.abs(size) >= 1000 && unit < BYTES.length - 1) [size, unit] = [size / 1000, unit + 1];
  return BYTES[unit].format(size);
}

/** Any value of a cell as text; null is told apart by the caller. */
export function cell(value, column) {
  if (value === null || value === undefined) return "NULL";
  if (isNumeric(column)) return number(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A Materialize timestamp as ms, or null where it is no time of day: a constant view, a logical clock. */
export function toInstant(timestamp) {
  return timestamp === null || timestamp > DATE_MAX || timestamp < 1_000_000_000_000n ? null : Number(timestamp);
}

/** The timestamp in a position's text, or null. */
export const timestampOf = (position) => (/^\d+/.test(position ?? "") ? BigInt(/^\d+/.exec(position)[0]) : null);

/** A position's timestamp as local time, with the date if it is not today's. */
export function clock(timestamp) {
  const ms = toInstant(timestamp);
  if (ms === null) return timestamp === null ? "–" : timestamp > DATE_MAX ? "constant" : String(timestamp);
  return Math.abs(Date.now() - ms) < DAY_MS / 2 ? CLOCK.format(ms) : DAY.format(ms);
}

/** "YYYY-MM-DD HH:MM:SS", in UTC as Materialize prints it -> ms, or null. */
export function parseTimestamp(text) {
  const match = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?/.exec(text ?? "");
  if (match === null) return null;
  const [, year, month, day, hour, min, second = 0] = match.map(Number);
  return Date.UTC(year, month - 1, day, hour, min, Number.isNaN(second) ? 0 : second);
}
