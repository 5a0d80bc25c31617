import { useEffect, useState } from "preact/hooks";
import { count } from "../format.ts";
import { useSettled } from "../hooks.ts";
import { Failure } from "../parts/notice.tsx";
import { address, go } from "../router.ts";
import { useSession } from "../session.ts";

const most = 50; // names that are shown

/** Finds collections by a part of their name: the list is walked, in large pages. Whoever may not list names one whole. */
export function FindNames({ mayList }: { mayList: boolean }) {
  const session = useSession();
  const [text, setText] = useState("");
  const part = useSettled(text.trim(), 250);
  const [state, setState] = useState<{ found: string[]; seen: number; done: boolean; error?: unknown } | null>(null);
  useEffect(() => {
    setState(null);
    if (!part || !mayList) return;
    const stop = new AbortController();
    const wanted = part.toLowerCase();
    const walk = async () => {
      const found: string[] = [];
      let seen = 0;
      let token: string | undefined;
      do {
        const page: { CollectionIds: string[]; NextToken?: string } = await session.client.call(
          "ListCollections", token ? { MaxResults: 4096, NextToken: token } : { MaxResults: 4096 }, stop.signal);
        seen += page.CollectionIds.length;
        for (const id of page.CollectionIds) if (id.toLowerCase().includes(wanted)) found.push(id);
        token = found.length > most ? undefined : page.NextToken;
        setState({ found: [...found], seen, done: !token });
      } while (token);
    };
    walk().catch((error) => { if (!stop.signal.aborted) setState({ found: [], seen: 0, done: true, error }); });
    return () => stop.abort();
  }, [session, part, mayList]);

  const name = text.trim();
  return (
    <form class="find" role="search" onSubmit={(event) => { event.preventDefault(); if (name) go(["collections", name]); }}>
      <label><span class="hidden">{mayList ? "Find a collection by its name" : "Name of a collection"}</span>
        <input type="search" placeholder={mayList ? "Find by name" : "Name of a collection"} value={text} maxLength={255} spellcheck={false} autocapitalize="none"
          onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <button type="submit" disabled={!name}>Open</button>
      {state && (
        <div class="found">
          <p role="status" class="faint">
            {state.found.length > most ? `The first ${most} with “${part}”` : `${count(state.found.length)} with “${part}”`}
            {state.done ? "" : `, ${count(state.seen)} names looked at …`}
          </p>
          <Failure error={state.error} />
          {state.found.length > 0 && <ul>{state.found.slice(0, most).map((id) => <li key={id}><a href={address(["collections", id])}>{id}</a></li>)}</ul>}
        </div>
      )}
    </form>
  );
}
