package dev.recollect.conformance;

/** What this client cannot do or cannot express. Nothing was sent. */
final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1;

    Refusal(String message) {
        super(message);
    }
}
