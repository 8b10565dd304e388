// Numbers as people read them.
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export const nothing = '–';

export function whole(value) {
  return Math.round(value).toLocaleString('en-US');
}

export function rate(value) {
  if (value === undefined) return nothing;
  if (value === 0) return '0';
  if (value < 10) return value.toFixed(1);
  return whole(value);
}

export function bytes(value) {
  if (value === undefined) return nothing;
  let amount = value;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 100 ? 0 : 1;
  return `${amount.toFixed(digits)} ${units[unit]}`;
}

export function share(part, all) {
  return all === 0 ? nothing : `${((100 * part) / all).toFixed(1)} %`;
}

export function duration(seconds) {
  if (seconds === undefined) return nothing;
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(3))} ms`;
  return `${seconds.toFixed(2)} s`;
}

/** Round as the values of an axis are. */
export function axisDuration(seconds) {
  if (seconds === 0) return '0';
  if (seconds < 0.001) return `${Number((seconds * 1e6).toPrecision(3))} µs`;
  if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(3))} ms`;
  return `${Number(seconds.toPrecision(3))} s`;
}

export function uptime(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `up ${Math.floor(seconds)} s`;
  if (minutes < 60) return `up ${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `up ${hours} h ${minutes % 60} min`;
  return `up ${Math.floor(hours / 24)} days`;
}
