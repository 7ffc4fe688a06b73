# frozen_string_literal: true

# The conversation with the runner, whichever SDK makes the calls.
#
# The first line on stdout says who this is. Then each line on stdin is a request, {"do": NAME, ...}, and has one line
# for an answer: {"ok": WHAT CAME} or, when the SDK raises, {"error": TEXT}. The process ends with its stdin.

require 'json'

def converse(versions, calls)
  say(versions.merge('ruby' => RUBY_VERSION))
  $stdin.each_line do |line|
    request = JSON.parse(line, symbolize_names: true)
    begin
      say('ok' => calls.public_send(request.delete(:do), **request))
    rescue StandardError => error
      say('error' => "#{error.class}: #{error.message}")
    end
  end
end

def say(answer)
  puts(JSON.generate(answer))
  $stdout.flush
end
