import { useEffect, useRef, useState } from "preact/hooks";
import { useAction } from "../hooks.ts";
import { ConnectionLost, Refusal, type Client } from "../server/client.ts";
import { explain, explainRejected } from "../server/explain.ts";
import type { Permissions } from "../server/types.ts";
import { signIn } from "../session.ts";

interface Config { Version: string; Regions: string[] }

/** Finds a key in the text of an AWS credentials file. */
export function parseCredentials(text: string): { id: string; secret: string } | null {
  const id = /^\s*aws_access_key_id\s*=\s*(\S+)/im.exec(text)?.[1];
  const secret = /^\s*aws_secret_access_key\s*=\s*(\S+)/im.exec(text)?.[1];
  return id && secret ? { id, secret } : null;
}

const largestCredentials = 1 << 20;

export function SignIn({ onSignedIn, message }: { onSignedIn: (who: { client: Client; permissions: Permissions }) => void; message: string }) {
  const [config, setConfig] = useState<Config | null>(null);
  const [id, setId] = useState("");
  const [secret, setSecret] = useState("");
  const [region, setRegion] = useState("");
  const [hint, setHint] = useState("");
  const idInput = useRef<HTMLInputElement>(null);
  const secure = globalThis.isSecureContext && !!globalThis.crypto?.subtle;

  useEffect(() => {
    document.title = "Sign in – Recollect";
    idInput.current?.focus();
    fetch("config.json").then((r) => r.json()).then((c: Config) => {
      setConfig(c);
      setRegion(c.Regions[0] ?? "");
    }, () => setHint("The server cannot be reached."));
  }, []);

  const action = useAction(async (_signal) => {
    const who = await signIn({ id: id.trim(), secret: secret.trim(), region });
    onSignedIn(who);
  });
  const take = (text: string): boolean => {
    const key = parseCredentials(text);
    if (!key) return false;
    setId(key.id);
    setSecret(key.secret);
    setHint("The key was read from the file.");
    return true;
  };
  const readFile = async (file: File | undefined) => {
    if (!file) return;
    if (file.size > largestCredentials || !take(await file.text())) setHint(`${file.name} is no credentials file with a key.`);
  };
  const error = action.error instanceof Refusal ? explainRejected(action.error)
    : action.error instanceof ConnectionLost ? "The server cannot be reached." : action.error ? explain(action.error).what : "";

  return (
    <main class="narrow">
      <h1 class="brand"><span class="mark" aria-hidden="true" />Recollect</h1>
      <p class="faint">Sign in with an access key. The first start of the server puts one into <code>data/credentials</code>.</p>
      {message && <div class="notice bad" role="alert"><p>{message}</p></div>}
      {!secure && (
        <div class="notice bad" role="alert">
          <p><strong>This page did not come over a secure connection</strong>, so the browser lets it sign nothing.</p>
          <p>Open it on the server's own machine as <code>http://127.0.0.1</code>, through an SSH tunnel, or through a proxy with HTTPS.</p>
        </div>
      )}
      <form class="card stack" autocomplete="off" onSubmit={(event) => { event.preventDefault(); void action.run(); }}>
        <label>Access key id
          <input ref={idInput} name="id" value={id} required autocomplete="off" autocapitalize="none" spellcheck={false} maxLength={128}
            onPaste={(event) => { if (take(event.clipboardData?.getData("text") ?? "")) event.preventDefault(); }}
            onInput={(event) => setId(event.currentTarget.value)} />
        </label>
        <label>Secret access key
          <input name="secret" type="password" value={secret} required autocomplete="off" maxLength={256}
            onPaste={(event) => { if (take(event.clipboardData?.getData("text") ?? "")) event.preventDefault(); }}
            onInput={(event) => setSecret(event.currentTarget.value)} />
        </label>
        {config && config.Regions.length > 1 && (
          <label>Region
            <select value={region} onChange={(event) => setRegion(event.currentTarget.value)}>
              {config.Regions.map((r) => <option key={r}>{r}</option>)}
            </select>
          </label>
        )}
        <label class="file">or open a credentials file
          <input type="file" name="credentials" onChange={(event) => void readFile(event.currentTarget.files?.[0])} />
        </label>
        <p role="status" class={hint ? "faint" : "hidden"}>{hint}</p>
        {error && <p class="notice bad" role="alert">{error}</p>}
        <button type="submit" class="primary" disabled={!secure || !config || action.busy}>{action.busy ? "Signing in …" : "Sign in"}</button>
      </form>
      <p class="faint">The secret stays in this tab, which signs every request with it, and is forgotten when the tab closes.{config && ` Recollect ${config.Version}.`}</p>
    </main>
  );
}
