import { useState } from "preact/hooks";
import { boto3, cli, type Call } from "../code.ts";
import { useSession } from "../session.ts";

/** The calls behind what the page shows, to copy. */
export function CodePanel({ calls, title = "The same from a program" }: { calls: Call[]; title?: string }) {
  const { client } = useSession();
  const [language, setLanguage] = useState<"boto3" | "cli">("boto3");
  const [copied, setCopied] = useState("");
  if (calls.length === 0) return null;
  const text = (language === "boto3" ? boto3 : cli)(calls, location.origin, client.key.region);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied("Copied");
    } catch {
      setCopied("Copying is not allowed; select the text instead");
    }
    setTimeout(() => setCopied(""), 2500);
  };
  return (
    <details class="code">
      <summary>{title} <span class="faint">{calls.map((call) => call.operation).join(", ")}</span></summary>
      <div class="row apart">
        <div class="tabs" role="group" aria-label="Language">
          <button type="button" aria-pressed={language === "boto3"} onClick={() => setLanguage("boto3")}>boto3</button>
          <button type="button" aria-pressed={language === "cli"} onClick={() => setLanguage("cli")}>AWS CLI</button>
        </div>
        <span class="row"><span role="status" class="faint">{copied}</span><button type="button" onClick={copy}>Copy</button></span>
      </div>
      <pre tabIndex={0} aria-label={language === "boto3" ? "Python" : "Shell"}><code>{text}</code></pre>
      <p class="faint">The key comes from the environment or the AWS credentials file, as always.</p>
    </details>
  );
}
