import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Lines of JSON, as python/client.py describes them: who this is, then one answer for each request on stdin.
 *
 * <p>Nothing of an SDK is in here; both major versions are driven by it. Jackson comes with the first one anyway.
 */
final class Conversation {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Conversation() {}

    static void hold(Application application) throws IOException {
        Map<String, String> versions = new LinkedHashMap<>(application.versions());
        versions.put("java", System.getProperty("java.version"));
        say(versions);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode request = JSON.readTree(line);
            try {
                say(Map.of("ok", answer(application, request)));
            } catch (Exception | LinkageError raised) {
                say(Map.of("error", whole(raised)));
            }
        }
    }

    private static Object answer(Application application, JsonNode request) throws Exception {
        String endpoint = request.get("endpoint").asText();
        String bucket = request.path("bucket").asText();
        String key = request.path("key").asText();
        String call = request.get("do").asText();
        switch (call) {
            case "who":
                return application.who(endpoint);
            case "list":
                return application.list(endpoint);
            case "create_bucket":
                application.createBucket(endpoint, bucket);
                return true;
            case "put":
                application.put(endpoint, bucket, key, request.get("body").asText());
                return true;
            case "get":
                return application.get(endpoint, bucket, key);
            default:
                throw new IllegalArgumentException("no such call: " + call);
        }
    }

    /** With its causes: which of them names the status differs from version to version. */
    private static String whole(Throwable raised) {
        StringBuilder text = new StringBuilder(raised.toString());
        for (Throwable cause = raised.getCause(); cause != null; cause = cause.getCause()) {
            text.append("; caused by ").append(cause);
        }
        return text.toString();
    }

    private static void say(Object answer) throws IOException {
        System.out.write((JSON.writeValueAsString(answer) + "\n").getBytes(StandardCharsets.UTF_8));
        System.out.flush();
    }
}
