const whole = new Intl.NumberFormat("en");

export function count(n: number): string {
  return whole.format(n);
}

/** "1 face", "2 faces". */
export function counted(n: number, one: string, many = one + "s"): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** Bytes in powers of 1024, with two digits that count. */
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${n < 10 && unit > 0 ? n.toFixed(1) : count(Math.round(n))} ${units[unit]}`;
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${counted(Math.floor(seconds / 86400), "day")} ${Math.floor((seconds % 86400) / 3600)} h`;
}

export function milliseconds(n: number): string {
  return n < 10 ? `${n.toFixed(1)} ms` : n < 10_000 ? `${count(Math.round(n))} ms` : `${(n / 1000).toFixed(1)} s`;
}

export function date(seconds: number): string {
  return new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
