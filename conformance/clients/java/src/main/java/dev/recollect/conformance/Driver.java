package dev.recollect.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import software.amazon.awssdk.core.util.VersionInfo;

/**
 * The AWS SDK for Java v2 as a driver: see conformance/clients/README.md for the protocol. It knows no operation: methods are found
 * by name, requests are built and answers read by what the SDK says of its types' fields.
 */
public final class Driver implements AutoCloseable {
    private Client client = new Client(new JsonObject());

    private Driver() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (Driver driver = new Driver()) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                JsonObject request = JsonParser.parseString(line).getAsJsonObject();
                JsonObject answer = driver.handle(request);
                answer.add("id", request.get("id"));
                out.println(answer);
            }
        }
    }

    private JsonObject handle(JsonObject request) throws InterruptedException {
        JsonElement input = request.get("input");
        JsonObject members = input == null ? new JsonObject() : input.getAsJsonObject();
        if (request.has("describe")) {
            return describe();
        }
        if (request.has("configure")) {
            return configure(request.getAsJsonObject("configure"));
        }
        if (request.has("paginate")) {
            return client.paginate(request.get("paginate").getAsString(), members, request.getAsJsonPrimitive("pageSize"));
        }
        if (request.has("concurrent")) {
            return concurrent(request.get("concurrent").getAsInt(), request.get("call").getAsString(), members);
        }
        if (request.has("call")) {
            return client.call(request.get("call").getAsString(), members);
        }
        JsonObject answer = new JsonObject();
        answer.addProperty("failed", "this is no request of the protocol");
        return answer;
    }

    private JsonObject configure(JsonObject overrides) {
        Client configured;
        try {
            configured = new Client(overrides);
        } catch (RuntimeException e) {
            return Client.failure(e);
        }
        client.close();
        client = configured;
        JsonObject answer = new JsonObject();
        answer.addProperty("ok", true);
        return answer;
    }

    private JsonObject concurrent(int calls, String operation, JsonObject input) throws InterruptedException {
        ExecutorService threads = Executors.newFixedThreadPool(calls);
        try {
            List<Future<JsonObject>> running = new ArrayList<>();
            for (int i = 0; i < calls; i++) {
                running.add(threads.submit(() -> client.call(operation, input)));
            }
            JsonArray answers = new JsonArray();
            for (Future<JsonObject> call : running) {
                answers.add(call.get());
            }
            JsonObject answer = new JsonObject();
            answer.add("answers", answers);
            return answer;
        } catch (ExecutionException e) {
            return Client.failure(e.getCause());
        } finally {
            threads.shutdown();
        }
    }

    private static JsonObject describe() {
        JsonObject answer = new JsonObject();
        answer.addProperty("client", "software.amazon.awssdk:rekognition");
        answer.addProperty("version", VersionInfo.SDK_VERSION);
        answer.addProperty("runtime", "Java " + Runtime.version());
        return answer;
    }

    @Override
    public void close() {
        client.close();
    }
}
