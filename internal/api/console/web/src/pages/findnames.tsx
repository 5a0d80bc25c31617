import { useState } from "preact/hooks";
import { useSettled } from "../hooks.ts";
import { Found } from "../parts/found.tsx";
import { address, go } from "../router.ts";
import { useSession } from "../session.ts";
import { useWalk } from "../walk.ts";

/** Finds collections by a part of their name. Whoever may not list names one whole. */
export function FindNames({ mayList }: { mayList: boolean }) {
  const session = useSession();
  const [text, setText] = useState("");
  const name = text.trim();
  const part = useSettled(name, 250).toLowerCase();
  const walk = useWalk<string>(
    async (token, signal) => {
      const page: { CollectionIds: string[]; NextToken?: string } =
        await session.client.call("ListCollections", { MaxResults: 4096, ...(token && { NextToken: token }) }, signal);
      return { items: page.CollectionIds, next: page.NextToken };
    },
    part && mayList ? (id) => id.toLowerCase().includes(part) : null, 50, [session, part, mayList]);
  return (
    <form class="find" role="search" onSubmit={(event) => { event.preventDefault(); if (name) go(["collections", name]); }}>
      <label><span class="hidden">{mayList ? "Find a collection by its name" : "Name of a collection"}</span>
        <input type="search" placeholder={mayList ? "Find by name" : "Name of a collection"} value={text} maxLength={255} spellcheck={false} autocapitalize="none"
          onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <button type="submit" disabled={!name}>Open</button>
      {walk && (
        <div class="found">
          <Found walk={walk} part={part} what="name" />
          {walk.found.length > 0 && <ul>{walk.found.map((id) => <li key={id}><a href={address(["collections", id])}>{id}</a></li>)}</ul>}
        </div>
      )}
    </form>
  );
}
