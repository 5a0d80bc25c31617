import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import { Client } from "./server/client.ts";
import type { AccessKey } from "./server/sigv4.ts";
import type { Permissions } from "./server/types.ts";

/** The console's own part of sessionStorage: it ends with the tab, and other tabs do not see it. */
const storageKey = "recollect-key";

/** Who is signed in, and what they may do. */
export interface Session {
  client: Client;
  permissions: Permissions;
  /** Says whether the key may do this to everything. */
  may(operation: string): boolean;
  signOut(why?: string): void;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("nobody is signed in");
  return session;
}

const qualified = (operation: string) => (operation.includes(":") ? operation : "rekognition:" + operation);

/** Makes may of a list of actions. */
export function among(allowed: string[]): (operation: string) => boolean {
  const set = new Set(allowed);
  return (operation) => set.has(qualified(operation));
}

/** Asks the server who the key is. Throws as Client.call does. */
export async function signIn(key: AccessKey): Promise<{ client: Client; permissions: Permissions }> {
  const client = new Client(key);
  const permissions = await client.read<Permissions>("permissions");
  sessionStorage.setItem(storageKey, JSON.stringify(key));
  return { client, permissions };
}

/** The key of this tab, if somebody signed in before it was reloaded. */
export function keptKey(): AccessKey | null {
  try {
    return JSON.parse(sessionStorage.getItem(storageKey) ?? "null") as AccessKey | null;
  } catch {
    return null;
  }
}

export function forgetKey(): void {
  sessionStorage.removeItem(storageKey);
}

/**
 * What the key may do to one collection; null while that is not known. Without a collection, what it may do to all. Policies may name
 * collections that are not there, so the collection need not be.
 */
export function usePermissions(collection: string | null): ((operation: string) => boolean) | null {
  const session = useSession();
  const [known, setKnown] = useState<{ collection: string; may: (operation: string) => boolean } | null>(null);
  useEffect(() => {
    if (!collection) return;
    const stop = new AbortController();
    session.client.read<Permissions>("permissions", { collection }, stop.signal)
      .then((p) => setKnown({ collection, may: among(p.Collection?.Allowed ?? []) }))
      .catch(() => { if (!stop.signal.aborted) setKnown({ collection, may: () => false }); });
    return () => stop.abort();
  }, [session, collection]);
  if (!collection) return session.may;
  return known?.collection === collection ? known.may : null;
}
