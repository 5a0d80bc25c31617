package dev.recollect.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URI;
import java.time.Duration;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.SdkPojo;
import software.amazon.awssdk.core.retry.RetryMode;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.api.RetryStrategy;
import software.amazon.awssdk.services.rekognition.RekognitionClient;
import software.amazon.awssdk.services.rekognition.RekognitionClientBuilder;
import software.amazon.awssdk.services.rekognition.model.RekognitionException;
import software.amazon.awssdk.services.rekognition.model.RekognitionRequest;
import software.amazon.awssdk.services.rekognition.model.RekognitionResponse;
import software.amazon.awssdk.utils.builder.Buildable;

/** The SDK's client, whose operations are found by name. Safe for use by several threads. */
final class Client implements AutoCloseable {
    private static final String MODEL = RekognitionRequest.class.getPackageName() + ".";

    private final RekognitionClient client;

    /** A client from the environment, with the overrides of a configure request. */
    Client(JsonObject overrides) {
        RekognitionClientBuilder builder = RekognitionClient.builder();
        text(overrides, "region").ifPresent(region -> builder.region(Region.of(region)));
        text(overrides, "endpoint").ifPresent(endpoint -> builder.endpointOverride(URI.create(endpoint)));
        if (overrides.has("accessKeyId") || overrides.has("secretAccessKey") || overrides.has("sessionToken")) {
            builder.credentialsProvider(StaticCredentialsProvider.create(credentials(overrides)));
        }
        if (overrides.has("retryMode") || overrides.has("maxAttempts")) {
            builder.overrideConfiguration(configuration -> configuration.retryStrategy(retries(overrides)));
        }
        if (overrides.has("timeoutMs")) {
            Duration timeout = Duration.ofMillis(overrides.get("timeoutMs").getAsLong());
            builder.overrideConfiguration(builder.overrideConfiguration().copy(configuration -> configuration.apiCallAttemptTimeout(timeout)));
        }
        client = builder.build();
    }

    private static Optional<String> text(JsonObject overrides, String name) {
        return Optional.ofNullable(overrides.get(name)).map(value -> value.getAsString());
    }

    private static AwsCredentials credentials(JsonObject overrides) {
        String id = text(overrides, "accessKeyId").orElseGet(() -> System.getenv("AWS_ACCESS_KEY_ID"));
        String secret = text(overrides, "secretAccessKey").orElseGet(() -> System.getenv("AWS_SECRET_ACCESS_KEY"));
        String token = text(overrides, "sessionToken").orElseGet(() -> System.getenv("AWS_SESSION_TOKEN"));
        return token == null ? AwsBasicCredentials.create(id, secret) : AwsSessionCredentials.create(id, secret, token);
    }

    private static RetryStrategy retries(JsonObject overrides) {
        RetryMode mode = text(overrides, "retryMode")
            .map(name -> RetryMode.valueOf(name.toUpperCase(Locale.ROOT)))
            .orElseGet(RetryMode::defaultRetryMode);
        if (mode == RetryMode.ADAPTIVE) {
            mode = RetryMode.ADAPTIVE_V2; // the older one takes no number of attempts
        }
        RetryStrategy strategy = AwsRetryStrategy.forRetryMode(mode);
        if (!overrides.has("maxAttempts")) {
            return strategy;
        }
        return strategy.toBuilder().maxAttempts(overrides.get("maxAttempts").getAsInt()).build();
    }

    JsonObject call(String operation, JsonObject input) {
        return answer(() -> {
            Class<?> type = requestType(operation);
            Method method = method(operation, "", type);
            RekognitionResponse response = (RekognitionResponse) method.invoke(client, request(type, input));
            JsonObject answer = new JsonObject();
            answer.add("output", Values.encode(response));
            answer.addProperty("status", response.sdkHttpResponse().statusCode());
            String id = response.responseMetadata().requestId();
            if (!id.equals("UNKNOWN")) { // which stands for none
                answer.addProperty("requestId", id);
            }
            return answer;
        });
    }

    /** Collects the pages of the SDK's own paginator, which takes a page's size from the request. */
    JsonObject paginate(String operation, JsonObject input, JsonPrimitive pageSize) {
        return answer(() -> {
            Class<?> type = requestType(operation);
            Method method = method(operation, "Paginator", type);
            JsonObject sized = input.deepCopy();
            if (pageSize != null) {
                sized.add("MaxResults", pageSize);
            }
            JsonArray pages = new JsonArray();
            for (Object page : (Iterable<?>) method.invoke(client, request(type, sized))) {
                pages.add(Values.encode((SdkPojo) page));
            }
            JsonObject answer = new JsonObject();
            answer.add("pages", pages);
            return answer;
        });
    }

    private static Class<?> requestType(String operation) {
        try {
            return Class.forName(MODEL + operation + "Request");
        } catch (ClassNotFoundException | NoClassDefFoundError absent) {
            throw new Refusal("this client has no operation " + operation);
        }
    }

    private static Method method(String operation, String suffix, Class<?> type) {
        String name = operation.substring(0, 1).toLowerCase(Locale.ROOT) + operation.substring(1) + suffix;
        try {
            return RekognitionClient.class.getMethod(name, type);
        } catch (NoSuchMethodException absent) {
            throw new Refusal("this client has no " + name);
        }
    }

    private static Object request(Class<?> type, JsonObject input) throws ReflectiveOperationException {
        SdkPojo builder = (SdkPojo) type.getMethod("builder").invoke(null);
        Values.decode(builder, input, "input");
        return ((Buildable) builder).build();
    }

    private interface Attempt {
        JsonObject make() throws ReflectiveOperationException;
    }

    /** The outcome of an attempt, as an answer. */
    private static JsonObject answer(Attempt attempt) {
        try {
            return attempt.make();
        } catch (InvocationTargetException e) {
            return failure(e.getCause());
        } catch (ReflectiveOperationException | RuntimeException e) {
            return failure(e);
        }
    }

    static JsonObject failure(Throwable e) {
        JsonObject answer = new JsonObject();
        if (e instanceof Refusal) {
            answer.addProperty("refused", e.getMessage());
        } else if (e instanceof AwsServiceException fault && fault.awsErrorDetails() != null && fault.awsErrorDetails().errorCode() != null) {
            JsonObject error = new JsonObject();
            error.addProperty("code", fault.awsErrorDetails().errorCode());
            error.addProperty("message", Objects.requireNonNullElse(fault.awsErrorDetails().errorMessage(), ""));
            error.addProperty("status", fault.statusCode());
            error.addProperty("requestId", fault.requestId());
            error.addProperty("modelled", fault.getClass() != RekognitionException.class);
            answer.add("error", error);
        } else {
            answer.addProperty("failed", e.toString());
        }
        return answer;
    }

    @Override
    public void close() {
        client.close();
    }
}
