// The call that an action makes, as a person would write it with boto3 or the AWS CLI.

/** A picture in an input. It is shown as the file that it came from, and sent as its bytes in base64. */
export class Picture {
  constructor(readonly name: string, private readonly base64: string) {}

  toJSON() {
    return { Bytes: this.base64 };
  }
}

export type Value = string | number | boolean | Picture | Value[] | { [name: string]: Value };
export interface Call { operation: string; input: Record<string, Value> }

const words = (name: string, between: string) => name.replace(/([a-z0-9])([A-Z])/g, `$1${between}$2`).toLowerCase();

function python(value: Value): string {
  if (value instanceof Picture) return `{"Bytes": Path(${JSON.stringify(value.name)}).read_bytes()}`;
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "object") return `{${Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${python(v)}`).join(", ")}}`;
  return JSON.stringify(value);
}

function hasPicture(call: Call): boolean {
  return Object.values(call.input).some((value) => value instanceof Picture);
}

/** The call with boto3, as a program that prints the answer. */
export function boto3(calls: Call[], endpoint: string, region: string): string {
  const lines = calls.some(hasPicture) ? ["from pathlib import Path", "", "import boto3"] : ["import boto3"];
  lines.push("", `client = boto3.client("rekognition", endpoint_url=${JSON.stringify(endpoint)}, region_name=${JSON.stringify(region)})`);
  for (const call of calls) {
    const input = Object.entries(call.input);
    const one = `print(client.${words(call.operation, "_")}(${input.map(([k, v]) => `${k}=${python(v)}`).join(", ")}))`;
    if (one.length <= 88) lines.push(one);
    else lines.push(`print(client.${words(call.operation, "_")}(`, ...input.map(([k, v]) => `    ${k}=${python(v)},`), "))");
  }
  return lines.join("\n") + "\n";
}

/** A word of a POSIX shell. */
function shell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function option(name: string, value: Value): string {
  const flag = "--" + words(name, "-");
  if (value instanceof Picture) return `${flag}-bytes ${shell("fileb://" + value.name)}`;
  if (typeof value === "boolean") return value ? flag : flag.replace("--", "--no-");
  if (Array.isArray(value) && value.every((v) => typeof v === "string")) return `${flag} ${value.map((v) => shell(v)).join(" ")}`;
  if (typeof value === "object") return `${flag} ${shell(JSON.stringify(value))}`;
  const word = shell(String(value));
  return word.startsWith("-") ? `${flag}=${word}` : `${flag} ${word}`;
}

/** The call with the AWS CLI, for a POSIX shell. */
export function cli(calls: Call[], endpoint: string, region: string): string {
  return calls.map((call) => {
    const options = [...Object.entries(call.input).map(([k, v]) => option(k, v)), `--endpoint-url ${shell(endpoint)}`, `--region ${shell(region)}`];
    return [`aws rekognition ${words(call.operation, "-")}`, ...options].join(" \\\n    ") + "\n";
  }).join("");
}
