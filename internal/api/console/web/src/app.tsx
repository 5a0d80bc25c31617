import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Waiting } from "./parts/notice.tsx";
import { Cluster } from "./pages/cluster.tsx";
import { Collection } from "./pages/collection.tsx";
import { Collections } from "./pages/collections.tsx";
import { Overview } from "./pages/overview.tsx";
import { SignIn } from "./pages/signin.tsx";
import { TryIt } from "./pages/tryit.tsx";
import { address, usePlace, type Place } from "./router.ts";
import { ConnectionLost, Refusal, type Client } from "./server/client.ts";
import { explainRejected } from "./server/explain.ts";
import type { Permissions } from "./server/types.ts";
import { among, forgetKey, keptKey, SessionContext, signIn, type Session } from "./session.ts";
import { useTheme, type Theme } from "./theme.ts";

interface SignedIn { client: Client; permissions: Permissions }

/** The whole console: the sign-in, and the pages once somebody signed in. */
export function App() {
  const [signedIn, setSignedIn] = useState<SignedIn | null>(null);
  const [starting, setStarting] = useState(() => keptKey() !== null);
  const [message, setMessage] = useState("");

  const accept = (who: SignedIn) => {
    who.client.onRejected = (why) => leave(`You were signed out. ${explainRejected(why)}`);
    setMessage("");
    setSignedIn(who);
  };
  const leave = (why = "") => {
    forgetKey();
    setSignedIn(null);
    setMessage(why);
  };
  // A tab that was reloaded still has its key.
  useEffect(() => {
    const key = keptKey();
    if (!key) return;
    signIn(key).then(accept, (error) => {
      if (error instanceof ConnectionLost) setMessage("The server cannot be reached. Reload the page to try again.");
      else leave(error instanceof Refusal ? `You were signed out. ${explainRejected(error)}` : String(error));
    }).finally(() => setStarting(false));
  }, []);

  const session = useMemo<Session | null>(
    () => signedIn && { ...signedIn, may: among(signedIn.permissions.Allowed), signOut: leave },
    [signedIn],
  );
  if (starting) return <main class="narrow"><Waiting what="Signing in" /></main>;
  if (!session) return <SignIn onSignedIn={accept} message={message} />;
  return <SessionContext.Provider value={session}><Shell session={session} /></SessionContext.Provider>;
}

/** What is done with pictures on the page that tries it. */
const withPictures = ["DetectFaces", "CompareFaces", "SearchFacesByImage", "SearchUsersByImage", "IndexFaces"];

/** The pages that the key can use, in the order of the navigation. A key that may do something to one collection alone comes to pictures from there. */
function pages(session: Session, path: string | undefined): { name: string; title: string }[] {
  const all = [{ name: "collections", title: "Collections" }];
  if (path === "try" || withPictures.some(session.may)) all.push({ name: "try", title: "Try it" });
  if (session.may("recollect:GetOverview")) all.push({ name: "overview", title: "Overview" });
  if (session.may("recollect:GetCluster")) all.push({ name: "cluster", title: "Cluster" });
  return all;
}

function Shell({ session }: { session: Session }) {
  const place = usePlace();
  const [theme, setTheme] = useTheme();
  const offered = pages(session, place.path[0]);
  const here = offered.find((p) => p.name === place.path[0]) ?? offered[0];
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const where = [here?.name, ...place.path.slice(1)].join("/");
  useEffect(() => {
    document.title = [place.path[0] === "collections" && place.path[1], here?.title, "Recollect"].filter(Boolean).join(" – ");
    // Whoever uses a screen reader is taken to the new page; the first one is read from the top anyway.
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [where]);
  const arn = session.permissions.Arn;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>Skip to the content</a>
      <header class="top">
        <a class="brand" href={address(["collections"])}><span class="mark" aria-hidden="true" />Recollect</a>
        <nav aria-label="Pages">
          {offered.map((page) => (
            <a key={page.name} href={address([page.name])} aria-current={page === here ? "page" : undefined}>{page.title}</a>
          ))}
        </nav>
        <div class="who">
          <span class="faint" title={arn}>{session.permissions.Root ? "root" : arn.replace(/^.*\//, "")}<span class="wide"> · {session.permissions.Region}</span></span>
          <label class="theme"><span class="hidden">Colours</span>
            <select value={theme} onChange={(event) => setTheme(event.currentTarget.value as Theme)}>
              <option value="auto">Auto</option><option value="light">Light</option><option value="dark">Dark</option>
            </select>
          </label>
          <button type="button" onClick={() => session.signOut()}>Sign out</button>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {here ? <Page name={here.name} place={place} /> : <NothingAllowed arn={arn} />}
      </main>
    </>
  );
}

function Page({ name, place }: { name: string; place: Place }) {
  switch (name) {
    case "overview":
      return <Overview />;
    case "cluster":
      return <Cluster />;
    case "try":
      return <TryIt query={place.query} />;
    default:
      return place.path[1] === undefined ? <Collections /> : <Collection key={place.path[1]} id={place.path[1]} query={place.query} />;
  }
}

function NothingAllowed({ arn }: { arn: string }) {
  return <><h1>Nothing to show</h1><p>No policy allows {arn} anything that the console offers.</p></>;
}
