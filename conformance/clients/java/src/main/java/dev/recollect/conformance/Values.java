package dev.recollect.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.SdkField;
import software.amazon.awssdk.core.SdkPojo;
import software.amazon.awssdk.core.protocol.MarshallingKnownType;
import software.amazon.awssdk.core.traits.ListTrait;
import software.amazon.awssdk.core.traits.MapTrait;
import software.amazon.awssdk.core.util.SdkAutoConstructList;
import software.amazon.awssdk.core.util.SdkAutoConstructMap;
import software.amazon.awssdk.utils.builder.Buildable;

/** Between the protocol's JSON and the SDK's types, by what the SDK says of their fields. */
final class Values {
    private Values() {}

    /** Sets the members that are given. What does not fit its field is a refusal; at is where it stands in the input. */
    static void decode(SdkPojo builder, JsonObject members, String at) {
        Map<String, SdkField<?>> fields = new LinkedHashMap<>();
        builder.sdkFields().forEach(field -> fields.put(field.locationName(), field));
        for (Map.Entry<String, JsonElement> member : members.entrySet()) {
            SdkField<?> field = fields.get(member.getKey());
            if (field == null) {
                throw new Refusal("%s: there is no member %s".formatted(at, member.getKey()));
            }
            if (!member.getValue().isJsonNull()) {
                field.set(builder, decode(field, member.getValue(), at + "." + member.getKey()));
            }
        }
    }

    private static Object decode(SdkField<?> field, JsonElement from, String at) {
        MarshallingKnownType type = field.marshallingType().getKnownType();
        try {
            return switch (type) {
                case STRING -> text(from);
                case INTEGER -> primitive(from, JsonPrimitive::isNumber).getAsBigDecimal().intValueExact();
                case LONG -> primitive(from, JsonPrimitive::isNumber).getAsBigDecimal().longValueExact();
                case FLOAT -> (float) floating(from);
                case DOUBLE -> floating(from);
                case BOOLEAN -> primitive(from, JsonPrimitive::isBoolean).getAsBoolean();
                case INSTANT -> Instant.ofEpochMilli(Math.round(primitive(from, JsonPrimitive::isNumber).getAsDouble() * 1000));
                case SDK_BYTES -> SdkBytes.fromByteArray(Base64.getDecoder().decode(text(from.getAsJsonObject().get("$blob"))));
                case SDK_POJO -> {
                    SdkPojo builder = field.constructor().get();
                    decode(builder, from.getAsJsonObject(), at);
                    yield ((Buildable) builder).build();
                }
                case LIST -> {
                    SdkField<?> item = field.getTrait(ListTrait.class).memberFieldInfo();
                    List<Object> items = new ArrayList<>();
                    for (JsonElement element : from.getAsJsonArray()) {
                        items.add(decode(item, element, at + "[" + items.size() + "]"));
                    }
                    yield items;
                }
                case MAP -> {
                    SdkField<?> value = field.getTrait(MapTrait.class).valueFieldInfo();
                    Map<String, Object> entries = new LinkedHashMap<>();
                    from.getAsJsonObject().entrySet().forEach(entry ->
                        entries.put(entry.getKey(), decode(value, entry.getValue(), at + "." + entry.getKey())));
                    yield entries;
                }
                default -> throw new Refusal("%s: the driver has no %s".formatted(at, type));
            };
        } catch (IllegalStateException | ArithmeticException | IllegalArgumentException misfit) {
            throw new Refusal("%s does not fit %s: %s".formatted(at, type, misfit.getMessage()));
        }
    }

    private static String text(JsonElement from) {
        return primitive(from, JsonPrimitive::isString).getAsString();
    }

    /** A number, or the text of one that JSON has no number for. */
    private static double floating(JsonElement from) {
        if (from instanceof JsonObject object && object.size() == 1 && object.has("$float")) {
            return Double.parseDouble(text(object.get("$float")));
        }
        return primitive(from, JsonPrimitive::isNumber).getAsDouble();
    }

    private static JsonPrimitive primitive(JsonElement from, Function<JsonPrimitive, Boolean> fits) {
        if (from instanceof JsonPrimitive primitive && fits.apply(primitive)) {
            return primitive;
        }
        throw new IllegalStateException(from == null ? "nothing" : from.getClass().getSimpleName());
    }

    /** The members that the SDK received. It keeps a list that was sent empty apart from one that was not sent. */
    static JsonObject encode(SdkPojo from) {
        JsonObject members = new JsonObject();
        for (SdkField<?> field : from.sdkFields()) {
            Object value = field.getValueOrDefault(from);
            if (value != null && !(value instanceof SdkAutoConstructList) && !(value instanceof SdkAutoConstructMap)) {
                members.add(field.locationName(), encode(value));
            }
        }
        return members;
    }

    private static JsonElement encode(Object value) {
        if (value instanceof SdkPojo pojo) {
            return encode(pojo);
        }
        if (value instanceof List<?> list) {
            JsonArray items = new JsonArray();
            list.forEach(item -> items.add(encode(item)));
            return items;
        }
        if (value instanceof Map<?, ?> map) {
            JsonObject members = new JsonObject();
            map.forEach((key, member) -> members.add(key.toString(), encode(member)));
            return members;
        }
        if (value instanceof SdkBytes bytes) {
            JsonObject blob = new JsonObject();
            blob.addProperty("$blob", Base64.getEncoder().encodeToString(bytes.asByteArray()));
            return blob;
        }
        if (value instanceof Instant time) {
            return new JsonPrimitive(time.toEpochMilli() / 1000.0);
        }
        if (value instanceof Float number) {
            return new JsonPrimitive(number.doubleValue()); // keeps its value rather than its shortest text
        }
        if (value instanceof Number number) {
            return new JsonPrimitive(number);
        }
        if (value instanceof Boolean truth) {
            return new JsonPrimitive(truth);
        }
        return new JsonPrimitive(value.toString());
    }
}
