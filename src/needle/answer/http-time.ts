/** Go's http.TimeFormat, `Mon, 02 Jan 2006 15:04:05 GMT`: written, and parsed as strictly as time.Parse does. */

const dayNames = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const monthNames = [
  'Jan',
  'Feb',
  'Mar',
  'Apr',
  'May',
  'Jun',
  'Jul',
  'Aug',
  'Sep',
  'Oct',
  'Nov',
  'Dec',
] as const;

/** Years above 9999 have five digits, as the volume server prints them. */
export function formatHttpTime(unixSeconds: number): string {
  const time = new Date(unixSeconds * 1000);
  const day = `${dayNames[time.getUTCDay()]}, ${twoDigits(time.getUTCDate())}`;
  const month = `${monthNames[time.getUTCMonth()]} ${time.getUTCFullYear()}`;
  const minute = `${twoDigits(time.getUTCHours())}:${twoDigits(time.getUTCMinutes())}`;
  return `${day} ${month} ${minute}:${twoDigits(time.getUTCSeconds())} GMT`;
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

/**
 * Go's layout rules: names in any case, the weekday not compared with the date, runs of blanks where the layout has
 * one, an hour of one or two digits, a fraction of the second after a dot or comma, `GMT` in capitals.
 */
const layout =
  /^(?:sun|mon|tue|wed|thu|fri|sat), +([0-9]{2}) +([a-z]{3}) +([0-9]{4}) +([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,][0-9]+)? +GMT$/i;

/** Unix seconds, rounded down; undefined where Go's time.Parse fails. */
export function parseHttpTime(text: string): number | undefined {
  if (!text.endsWith('GMT')) return undefined;
  const match = layout.exec(text);
  if (match === null) return undefined;
  const [day, , year, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const lowerMonth = (match[2] as string).toLowerCase();
  const month = monthNames.findIndex((name) => name.toLowerCase() === lowerMonth);
  if (month < 0 || hour > 23 || minute > 59 || second > 59) return undefined;
  const time = new Date(0);
  time.setUTCFullYear(year, month, day);
  // A day that the month does not have comes out as a day of the next one.
  if (time.getUTCDate() !== day || time.getUTCMonth() !== month) return undefined;
  return time.getTime() / 1000 + hour * 3600 + minute * 60 + second;
}
