"""Answers as the API's pages print them."""

DETAIL_SUCCESS = b"""{
    "duration": 33000,
    "service_url": "https://console.huaweicloud.com/modelarts2/tensorboard/04f679b17380d32a2f32c00335c4b5ba/197/",
    "job_name": "apiTest-11",
    "create_time": 1565149736000,
    "train_url": "/wph-test/zl-test/Flowers-Set/ApiTest/",
    "job_id": 197,
    "job_desc": "ModelArts API Dialtest",
    "resource_id": "e17dd874-b5e0-4e9b-aaf0-22b045ad8571",
    "remaining_duration": null,
    "is_success": true,
    "status": 7
}"""

DETAIL_FAILURE = b"""{
    "is_success": false,
    "error_message": "The length of search content should be in [0,100]",
    "error_code": "ModelArts.0104"
}"""

DETAIL_FAILURE_2025 = b"""{
    "error_message": "The length of search content should be in [0,100]",
    "error_code": "ModelArts.0104"
}"""

CREATE_SUCCESS = b"""{
    "is_success": true,
    "job_id": "10",
    "job_name": "visualization-job",
    "status": "1",
    "create_time": "1524189990635"
}"""
